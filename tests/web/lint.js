/*
 * Lints a description of an API by Redocly's strict rules.
 *
 *     node tests/web/lint.js docs/openapi.json
 *
 * Needs NODE_PATH. The last line is "N passed, N failed".
 */
'use strict';

const { createConfig, formatProblems, getTotals, lint } =
    require('@redocly/openapi-core');

const config = {
    extends: ['recommended-strict'],
    rules: {
        /* Some examples are wrong on purpose; tests/openapi.py checks each
           of them, and its answer. */
        'no-invalid-media-type-examples': 'off',
    },
};

async function main(file) {
    const problems = await lint({
        ref: file, config: await createConfig(config),
    });
    const totals = getTotals(problems);
    const faults = totals.errors + totals.warnings;

    formatProblems(problems, { format: 'stylish', totals });
    console.log(`${faults === 0 ? 1 : 0} passed, ${faults} failed`);
    process.exitCode = faults === 0 ? 0 : 1;
}

main(process.argv[2]);
