# The service: built and unit-tested on Debian 13, whose hiredis has TLS. The
# final image has the binary, spawn-fcgi and the libraries they are linked to.
# The target nginx is the other image: nginx, its configuration, and the
# documentation page.
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
# The volume of the socket has its owner from here where nginx is the first to
# mount it.
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
# The packages of the libraries, by whatever name this Debian has for them.
RUN ldd build/release/scoring | awk '$3 ~ /^\// {print $3}' \
    | xargs -n 1 realpath | sed 's,^/usr/lib,*/lib,' | sort -u \
    | xargs dpkg-query -S | cut -d: -f1 | sort -u >build/runtime-packages

FROM debian:trixie-slim
LABEL org.opencontainers.image.title="scoring" \
      org.opencontainers.image.description="Scoring API: a FastCGI responder" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /build/build/runtime-packages /tmp/runtime-packages
# Group 101 is that of nginx in its image: both meet at the socket. No program
# here needs to gain rights.
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
# Said, so that the engine takes no other signal, such as HUP, for the one to
# stop with: it would not start the container again after a crash.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --retries=3 --start-period=10s \
    CMD ["scoring", "healthcheck"]
ENTRYPOINT ["scoring-serve"]
