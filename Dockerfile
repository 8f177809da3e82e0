# The service only: Node 24, production dependencies, compiled JavaScript. No shell, npm or compiler, no writable file.
# To pin a base: --build-arg RUNTIME_IMAGE=gcr.io/distroless/nodejs24-debian13@sha256:… (a release needs both pinned).
ARG BUILD_IMAGE=docker.io/library/node:24-trixie-slim
ARG RUNTIME_IMAGE=gcr.io/distroless/nodejs24-debian13:nonroot

FROM ${BUILD_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json ./
# To use your own registry and credentials: --secret id=npmrc,src=$HOME/.npmrc
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc,required=false npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src src
# Only JavaScript and JSON are needed at run time: type declarations, source maps and sources of packages are deleted.
RUN npm run build \
  && npm prune --omit=dev --omit=optional --no-audit --no-fund \
  && find node_modules dist -type f \
    \( -name '*.map' -o -name '*.ts' -o -name '*.cts' -o -name '*.mts' -o -name '*.md' \) -delete \
  && find node_modules -mindepth 2 -maxdepth 3 -type d \
    \( -name test -o -name tests -o -name docs -o -name benchmarks \) -prune -exec rm -rf {} + \
  && rm -rf node_modules/.package-lock.json node_modules/.bin

FROM ${RUNTIME_IMAGE}
ARG VERSION=1.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="token-broker" \
  org.opencontainers.image.description="Delegated Microsoft access tokens for MEGDocs" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}"
ENV NODE_ENV=production
# No file of the image belongs to the user that runs it.
USER 0:0
WORKDIR /app
COPY --from=build /build/package.json ./
COPY --from=build /build/node_modules node_modules
COPY --from=build /build/dist dist
# Numeric, so that Kubernetes can verify that it is not root.
USER 65532:65532
# The listeners: public, internal, operations.
EXPOSE 8080 8081 9090
# Node is pid 1 and handles SIGTERM and SIGINT itself. Requests leave much short-lived garbage. A small young generation
# is collected more often and faster, by one thread; an old generation that grows in small steps is collected before it is large
# (bench/README.md).
ENTRYPOINT ["/nodejs/bin/node", "--max-semi-space-size=8", "--heap-growing-percent=10", "--no-parallel-scavenge", "/app/dist/cli.js"]
CMD ["serve"]
