# Stands in for the image prom/prometheus, which no test can pull: Debian's Prometheus, the same words.
FROM debian:bookworm-slim AS prometheus
# hadolint ignore=DL3008
RUN apt-get update && \
    apt-get install -y --no-install-recommends prometheus && \
    rm -rf /var/lib/apt/lists/* && \
    install -d -o nobody -g nogroup /prometheus
USER 65534:65534
EXPOSE 9090
VOLUME /prometheus
ENTRYPOINT ["prometheus"]
