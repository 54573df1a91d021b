# Two images. The service, the default target, is built and unit-tested on Debian 13,
# whose hiredis has TLS; its image has the binary, spawn-fcgi and their libraries. The
# target nginx has nginx, its configuration, and the documentation page.
ARG NGINX_IMAGE=nginx:1.28

FROM debian:trixie-slim AS web
WORKDIR /build
COPY deploy/install-packages.sh deploy/packages.txt deploy/
RUN deploy/install-packages.sh page
COPY deploy/web.sh deploy/
COPY docs/openapi.json docs/api.md docs/
COPY docs/web docs/web
RUN deploy/web.sh /site

FROM ${NGINX_IMAGE} AS nginx
USER root
COPY --from=web /site /usr/share/scoring/web
COPY nginx /etc/scoring/nginx
COPY deploy/nginx-settings.sh deploy/nginx-start.sh /etc/scoring/deploy/
# If nginx mounts the volume of the socket first, the volume gets this owner.
RUN install -d -o 10001 -g 101 -m 0750 /run/scoring
USER 101:101
ENTRYPOINT ["/bin/sh", "/etc/scoring/deploy/nginx-start.sh"]

FROM debian:trixie-slim AS build
WORKDIR /build
COPY deploy/install-packages.sh deploy/packages.txt deploy/
RUN deploy/install-packages.sh build unit
COPY Makefile CHANGELOG.md .env.example ./
COPY src src
COPY tests/support tests/support
COPY tests/unit tests/unit
COPY share share
RUN make -j"$(nproc)" all && make -j"$(nproc)" unit
# The packages of the libraries, whose names depend on the Debian version.
RUN ldd build/release/scoring | awk '$3 ~ /^\// {print $3}' \
    | xargs -n 1 realpath | sed 's,^/usr/lib,*/lib,' | sort -u \
    | xargs dpkg-query -S | cut -d: -f1 | sort -u >build/runtime-packages

FROM debian:trixie-slim
LABEL org.opencontainers.image.title="scoring" \
      org.opencontainers.image.description="Scoring API: a FastCGI responder" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /build/build/runtime-packages /tmp/runtime-packages
# Group 101 is nginx's group in its image: both use the socket. No program needs the
# setuid bit.
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive xargs apt-get install -y \
        --no-install-recommends ca-certificates spawn-fcgi tzdata \
        </tmp/runtime-packages \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt /var/log/* \
        /tmp/runtime-packages \
    && groupadd --system --gid 101 scoring \
    && useradd --uid 10001 --gid scoring --no-create-home \
        --home-dir /nonexistent --shell /usr/sbin/nologin scoring \
    && install -d -o scoring -g scoring -m 0750 /run/scoring \
    && find / -xdev -type f -perm /6000 -exec chmod a-s {} +
COPY --from=build /build/build/release/scoring /usr/local/bin/scoring
COPY deploy/serve.sh /usr/local/bin/scoring-serve
USER scoring
# Explicit, because an engine that takes another signal, such as HUP, for the stop
# signal would not restart the container after it.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --retries=3 --start-period=10s \
    CMD ["scoring", "healthcheck"]
ENTRYPOINT ["scoring-serve"]
