# The service and nothing else: Node 24, production dependencies, compiled JavaScript. No shell, no npm, no compiler, nothing writable.
# For a release, pin both bases by digest: --build-arg RUNTIME_IMAGE=gcr.io/distroless/nodejs24-debian13@sha256:…
ARG BUILD_IMAGE=docker.io/library/node:24-trixie-slim
ARG RUNTIME_IMAGE=gcr.io/distroless/nodejs24-debian13:nonroot

FROM ${BUILD_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json ./
# Registry and credentials of your own, if any: --secret id=npmrc,src=$HOME/.npmrc
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc,required=false npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src src
# What runs is JavaScript and JSON: type declarations, source maps and other packages' sources are left behind.
RUN npm run build \
  && npm prune --omit=dev --omit=optional --no-audit --no-fund \
  && find node_modules dist -type f \( -name '*.map' -o -name '*.ts' -o -name '*.cts' -o -name '*.mts' -o -name '*.md' \) -delete \
  && find node_modules -mindepth 2 -maxdepth 3 -type d \( -name test -o -name tests -o -name docs -o -name benchmarks \) -prune -exec rm -rf {} + \
  && rm -rf node_modules/.package-lock.json node_modules/.bin

FROM ${RUNTIME_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="token-broker" \
  org.opencontainers.image.description="Delegated Microsoft access tokens for MEGDocs" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}"
ENV NODE_ENV=production
# Nothing in the image belongs to the user that it runs as.
USER 0:0
WORKDIR /app
COPY --from=build /build/package.json ./
COPY --from=build /build/node_modules node_modules
COPY --from=build /build/dist dist
# Numeric, so that Kubernetes can see that it is not root.
USER 65532:65532
# Public, internal, operations.
EXPOSE 8080 8081 9090
# Node is pid 1; the service handles SIGTERM and SIGINT itself. Requests leave much short-lived garbage: a small young generation is cleared
# more often and faster, and an old one that grows in small steps is cleared before it is large (bench/).
ENTRYPOINT ["/nodejs/bin/node", "--max-semi-space-size=8", "--heap-growing-percent=10", "/app/dist/cli.js"]
CMD ["serve"]
