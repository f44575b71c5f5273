FROM python:3.12-slim

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY . .
RUN useradd --create-home --uid 1000 ferryline \
 && mkdir -p /data staticfiles \
 && chown ferryline /data staticfiles
USER ferryline

ENV HOST=0.0.0.0 PORT=8000 DATABASE_URL=sqlite:////data/db.sqlite3 \
    MEDIA_DIR=/data/media
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
CMD ["sh", "-c", "python manage.py setup && exec python manage.py serve"]
