# The module as an image, as Istio's WasmPlugin and Envoy Gateway take it. Nothing in it runs by itself.
#
#   cargo xtask dist && docker build -t portcullis:dev .
FROM scratch
COPY target/portcullis.wasm /plugin.wasm
