// Holds an OpenAPI document against Redocly's recommended rules. Ends with 1 where one is broken.
import { createConfig, lint } from '@redocly/openapi-core';

// A probe has no mistake that its caller could make.
const rules = { 'operation-4xx-response': 'off' };
const config = await createConfig({ extends: ['recommended'], rules });
const problems = await lint({ ref: process.argv[2], config });
for (const { ruleId, message, location } of problems)
  console.log(`${ruleId}: ${message} (${location[0]?.pointer})`);
process.exitCode = problems.length > 0 ? 1 : 0;
