# The sidecar's image: two stages, a wheel built in the first, nothing but Python and the packages in the second.
# Build:  docker build -t outrider .

FROM python:3.12-slim AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore

WORKDIR /src

# The dependencies change seldom, so they get a layer of their own.
COPY pyproject.toml ./
RUN python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"], sep="\n")' \
        > requirements.txt \
    && python -m venv --without-pip /opt/outrider \
    && python -m pip --python /opt/outrider/bin/python install --only-binary=:all: --requirement requirements.txt

COPY README.md LICENSE ./
COPY agent ./agent
# Bytecode is compiled here, because the root file system is read-only where this runs. It is never checked against the
# sources, which saves a stat per module at start.
RUN python -m pip wheel --no-deps --wheel-dir /wheels . \
    && python -m pip --python /opt/outrider/bin/python install --no-deps /wheels/*.whl \
    && /opt/outrider/bin/python -m compileall -q -f -j 0 --invalidation-mode unchecked-hash /opt/outrider/lib


FROM python:3.12-slim

LABEL org.opencontainers.image.title="outrider" \
      org.opencontainers.image.description="A sidecar that rides beside a model server and tells when the model's world has changed." \
      org.opencontainers.image.licenses="Apache-2.0"

# Nothing is installed at run time, so the installer goes.
RUN rm -rf /usr/local/lib/python3.12/site-packages/* /usr/local/lib/python3.12/ensurepip /usr/local/bin/pip*

COPY --from=build /opt/outrider /opt/outrider

# Two arenas: freed memory goes back instead of lying about in one arena per thread. One BLAS thread: the monitor shares a
# core with the proxy and must not spread out.
ENV PATH=/opt/outrider/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    MALLOC_ARENA_MAX=2 \
    OPENBLAS_NUM_THREADS=1 \
    OMP_NUM_THREADS=1

# A number, so that Kubernetes can see that it is not root.
USER 65532:65532

# Inference, admin (report and metrics), health.
EXPOSE 8000 9464 9465

# No HEALTHCHECK: Kubernetes ignores it and probes /livez and /readyz on the health port. examples/docker has one for Compose.
ENTRYPOINT ["outrider"]
CMD ["run"]
