"""The world outside: payment providers and mail. Clients and signatures only; no database, no pages."""
