"use strict";
// Loaded into Azurite with `node --require`. Its telemetry is switched off by --disableTelemetry; to load the library
// that would send it takes two thirds of Azurite's start all the same. So the library is taken for loaded already.
// Where Azurite has no such library any more, nothing is done.
const Module = require("node:module");

const name = "applicationinsights";
try {
  const file = Module.createRequire(process.argv[1]).resolve(name);
  const nothing = new Module(file);
  nothing.loaded = true;
  require.cache[file] = nothing;
} catch (error) {
  if (error.code !== "MODULE_NOT_FOUND") throw error;
}
