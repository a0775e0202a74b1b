# The daemon in a container; docs/deploy.md says how to run it.
FROM node:24-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY . .
# onnxruntime brings its libraries for every platform; those of others are most of its size.
RUN npm run build && npm prune --omit=dev && \
    cd node_modules/onnxruntime-node/bin/napi-v* && rm -rf darwin win32 && \
    find linux -mindepth 1 -maxdepth 1 ! -name "$(node -p process.arch)" -exec rm -rf {} + && \
    chmod -R a+rX /build

FROM node:24-bookworm-slim
WORKDIR /app
COPY --from=build /build/node_modules node_modules
COPY --from=build /build/dist dist
COPY --from=build /build/models models
COPY --from=build /build/python-shim python-shim
COPY --from=build /build/package.json /build/LICENSE ./

# Any user of group 0 may write it, since some platforms give each container an id of its own.
RUN mkdir -m 0770 /data && chown 10001:0 /data
USER 10001:0
VOLUME /data

# Beyond loopback the daemon wants a token. It has to be done before the engine's ten seconds are over.
ENV NODE_ENV=production \
    ASSAY_DATA_DIR=/data \
    ASSAY_HOST=0.0.0.0 \
    ASSAY_DRAIN_TIMEOUT_MS=7000
EXPOSE 7878

# Kubernetes sets ASSAY_PORT to an address, which the daemon ignores.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD ["node", "-e", "fetch(`http://127.0.0.1:${Number(process.env.ASSAY_PORT) || 7878}/healthz`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]

ENTRYPOINT ["node", "/app/dist/cli/index.js"]
CMD ["serve"]
