# The translation service with its bundled model:
#   docker build -t mt . && docker run --rm -p 8000:8000 mt
#   docker build --build-arg MODELS="de-en en-de" -t mt .

FROM python:3.11-slim AS build
# Where torch's CPU build comes from; empty takes whatever build pip's own index has.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
# Which of the bundled models go along, separated by spaces; each is about 30 MB.
ARG MODELS=de-en
WORKDIR /src
RUN python -m venv /opt/mt
# torch is most of the image and changes seldom: its own layer outlives changes of the source. Its
# C++ headers and test programs, 125 MB, are of no use here.
COPY constraints.txt ./
RUN /opt/mt/bin/pip install --no-cache-dir --constraint constraints.txt \
    ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} torch && \
    rm -r /opt/mt/lib/python3.*/site-packages/torch/include \
    /opt/mt/lib/python3.*/site-packages/torch/test
COPY pyproject.toml README.md LICENSE ./
COPY mt mt
COPY service service
COPY scripts scripts
RUN test -n "$MODELS" || { echo "MODELS: name a model or more" >&2; exit 1; } && \
    cd mt/models && \
    for model in $MODELS; do \
        test -d "$model" || { echo "MODELS: no $model; there are:" * >&2; exit 1; }; \
    done && \
    for model in *; do \
        case " $MODELS " in *" $model "*) ;; *) rm -r "$model" ;; esac; \
    done
RUN /opt/mt/bin/pip install --no-cache-dir --constraint constraints.txt \
    ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} .

FROM python:3.11-slim
# Outside a container the service listens on loopback only; in here loopback could not be reached
# from outside, and `docker run -p` decides who may.
ENV PATH=/opt/mt/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    MT_HOST=0.0.0.0 \
    MT_PORT=8000
COPY --from=build /opt/mt /opt/mt
# Writable even where the root is mounted read-only (docker run --read-only): the language detector
# unpacks its model, 68 MB, into a temporary file as it starts. Nothing else is ever written.
VOLUME /tmp
# A number, so that an orchestrator can see that it is not root.
USER 10001:10001
WORKDIR /tmp
EXPOSE 8000
# Not by a proxy, which the environment of a container may name.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.build_opener(r.ProxyHandler({})).open(f\"http://127.0.0.1:{os.environ['MT_PORT']}/ready\", timeout=4)"]
CMD ["mt-serve"]
