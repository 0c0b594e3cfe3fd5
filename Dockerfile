# Subtext's app and API in one image. Weights come with the code; nothing is downloaded when it starts.
#
#   docker build -t subtext .
#   docker run --rm -p 8501:8501 subtext
#
# All Python packages have the versions of requirements*.lock, which .ci/lock writes; each file's SHA-256 is checked, but for
# torch and torchvision: their build depends on TORCH_INDEX, which must have the locked versions.
# PYTHON with a digest pins the base image too: --build-arg PYTHON=python:3.12-slim@sha256:... (docs/deploy.md).
# REQUIREMENTS=requirements-mini.txt leaves torch and the full-size models out: all that the shipped weights need.
# TORCH_INDEX: where torch comes from. The default is the CPU build, a tenth of the size of PyPI's CUDA build; the
# profile `mini` never imports it. For a GPU: --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu128
ARG PYTHON=python:3.12-slim
FROM ${PYTHON} AS build
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG REQUIREMENTS=requirements.txt
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python3 -m venv /opt/subtext
COPY requirements*.lock /tmp/
# torch first and from its own index, so that what follows finds it there already
RUN lock="/tmp/${REQUIREMENTS%.txt}.lock" \
    && torch="$(sed -nE 's/^(torch(vision)?==[^ ]+).*/\1/p' "$lock")" \
    && if [ -n "$torch" ]; then /opt/subtext/bin/pip install --index-url "$TORCH_INDEX" $torch; fi \
    && /opt/subtext/bin/pip install --no-deps --require-hashes -r "$lock"

FROM ${PYTHON}
COPY packages.txt /tmp/
RUN apt-get update && xargs -r apt-get install -y --no-install-recommends </tmp/packages.txt && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/subtext /opt/subtext
# HF_HUB_OFFLINE: no model hub is asked for anything; `docker run -e HF_HUB_OFFLINE=0` lets the profile `clip` be downloaded
ENV PATH=/opt/subtext/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HF_HUB_OFFLINE=1 MALLOC_ARENA_MAX=2
WORKDIR /app
COPY app.py LICENSE ./
COPY .streamlit .streamlit
COPY models models
COPY components components
COPY serving serving
COPY pages pages
COPY assets assets
COPY weights weights
RUN useradd --uid 1000 --no-create-home --home-dir /tmp subtext
USER 1000
ENV HOME=/tmp
EXPOSE 8501
# slim has no curl; /ready answers 503 until the models are loaded
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python3", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ.get(\"PORT\", \"8501\")}/ready', timeout=4)"]
# PORT is what Cloud Run and others set
CMD ["sh", "-c", "exec streamlit run app.py --server.headless=true --server.address=0.0.0.0 --server.port=${PORT:-8501}"]
