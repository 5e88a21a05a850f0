# echosync on the official image of PostgreSQL.
#
#   docker build -t echosync .
#   docker build -t echosync --build-arg PG_MAJOR=17 .
#
# The server starts with the library preloaded, and with nothing sent to any CRM
# until a database has the extension and there is an env file:
#
#   docker run -v /srv/echosync.env:/etc/echosync/echosync.env:ro -e POSTGRES_PASSWORD=... echosync
#
# The env file belongs to the container's postgres (0600), or to root and to
# its group (0640).  Then, in a database: CREATE EXTENSION echosync.
ARG PG_MAJOR=15

FROM postgres:${PG_MAJOR}-bookworm AS build
ARG PG_MAJOR
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# Versions are those of the image's Debian release, with its security updates.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        gcc libc6-dev libcurl4-openssl-dev libssl-dev make "postgresql-server-dev-${PG_MAJOR}" \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Makefile echosync.control ./
COPY src src
RUN make -j"$(nproc)" PG_CONFIG="/usr/lib/postgresql/${PG_MAJOR}/bin/pg_config" \
    && make install DESTDIR=/installed PG_CONFIG="/usr/lib/postgresql/${PG_MAJOR}/bin/pg_config"

FROM postgres:${PG_MAJOR}-bookworm
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libcurl4 libssl3 \
    && rm -rf /var/lib/apt/lists/* \
    && install -d -m 755 /etc/echosync
COPY --from=build /installed/ /
CMD ["postgres", "-c", "shared_preload_libraries=echosync", "-c", "echosync.env_file=/etc/echosync/echosync.env", "-c", "max_worker_processes=16"]
