"""Payments that fit no deposit: kept in suspense until staff decide."""
