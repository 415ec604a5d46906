# One image for every process; which one runs is the command's choice (see Procfile and docker-compose.yml).
FROM python:3.13.7-slim-bookworm AS packages
WORKDIR /app
COPY requirements.txt .
RUN python -m venv .venv \
 && .venv/bin/pip install --no-cache-dir --require-hashes --no-deps --only-binary :all: -r requirements.txt

FROM python:3.13.7-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home advancia \
 && install --directory --owner=advancia --mode=0700 /backups
WORKDIR /app
COPY --from=packages /app/.venv .venv
COPY wsgi.py .
COPY advancia advancia
COPY worker worker
COPY migrations migrations
COPY templates templates
COPY static static
RUN .venv/bin/python -m compileall -q advancia worker wsgi.py
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    TZ=UTC \
    ADVANCIA_ENV=production \
    ADVANCIA_VAR=/tmp/advancia \
    HOST=0.0.0.0 \
    PORT=8000 \
    WEB_WORKERS=2 \
    WEB_THREADS=8
USER advancia
EXPOSE 8000
CMD ["sh", "-c", "exec granian --interface wsgi --host $HOST --port $PORT --workers $WEB_WORKERS --blocking-threads $WEB_THREADS --no-ws --respawn-failed-workers --workers-kill-timeout 30 wsgi:app"]
