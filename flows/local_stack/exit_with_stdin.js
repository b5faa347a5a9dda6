"use strict";
// Loaded into Azurite with `node --require`: it ends when the process that started it does, however that happened.
// unref(): waiting for the end of stdin must not by itself keep the process alive.
const leave = () => process.exit(0);
process.stdin.on("end", leave).on("error", leave).resume().unref();
