/*
 * Opens docs/openapi.json, unchanged, in tools that partners use: the viewer
 * Swagger UI, in headless Chromium, and the generator openapi-typescript, with
 * whose types TypeScript then checks requests.
 *
 *     node tests/web/tools.js FOLDER
 *
 * It writes files to the folder. Needs NODE_PATH. The last line is "N passed,
 * N failed".
 */
'use strict';

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');

const { chromium } = require('playwright-core');

const modules = process.env.NODE_PATH;
const file = path.resolve(__dirname, '../../docs/openapi.json');
const description = require(file);
const LIMIT_MS = 60000;
const results = { passed: 0, failed: 0 };

function check(name, faults) {
    results[faults.length === 0 ? 'passed' : 'failed']++;
    if (faults.length > 0)
        console.log(`FAILED ${name}: ${faults.join('; ')}`);
}

const VIEWER = `<!doctype html><div id="viewer"></div>
<script src="swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({ url: 'openapi.json', dom_id: '#viewer', validatorUrl: null,
    docExpansion: 'full' });</script>`;

function serve() {
    const server = http.createServer((request, response) => {
        const files = {
            '/openapi.json': file,
            '/swagger-ui-bundle.js': `${modules}/swagger-ui-dist/swagger-ui-bundle.js`,
        };

        if (request.url === '/')
            response.setHeader('Content-Type', 'text/html').end(VIEWER);
        else if (files[request.url])
            response.setHeader('Content-Type', request.url.endsWith('.js') ?
                'text/javascript; charset=utf-8' : 'application/json')
                .end(fs.readFileSync(files[request.url]));
        else
            response.writeHead(404).end();
    });

    return new Promise((done) => {
        server.listen(0, '127.0.0.1', () => done(server));
    });
}

async function lookAtViewer() {
    const server = await serve();
    const browser = await chromium.launch({
        executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
        args: process.getuid() === 0 ? ['--no-sandbox'] : [],
    });

    try {
        const page = await browser.newPage();

        page.setDefaultTimeout(LIMIT_MS);
        await page.goto(`http://127.0.0.1:${server.address().port}/`);
        await page.waitForSelector('.opblock-post .opblock-body');
        const operations = await page.locator('.opblock').count();
        const wanted = Object.keys(description.paths).length;

        check('Swagger UI: operations', operations === wanted ? [] :
            [`${operations} of ${wanted}`]);
        check('Swagger UI: errors',
            await page.locator('.errors-wrapper, .loading-container.failed-config')
                .allInnerTexts());
    } finally {
        await browser.close();
        server.close();
    }
}

/* @ts-expect-error marks lines that must not compile. */
const PROGRAM = `import type { components } from './api';
type Arguments = components['schemas']['OnlineScoreArguments'];
type Scores = components['schemas']['ScoreAnswer'];
type Interests = components['schemas']['InterestsAnswer'];

export const pair: Arguments = { phone: '79175002040', email: 'a@b' };
export const number: Arguments = { phone: 79175002040, email: 'a@b', gender: 1 };
// @ts-expect-error: an object is no phone, and 5 no e-mail
export const wrong: Arguments = { phone: {}, email: 5 };
// @ts-expect-error: no pair is complete
export const half: Arguments = { phone: '79175002040' };
// @ts-expect-error: 3 is no gender
export const gender: Arguments = { birthday: '01.01.1990', gender: 3 };
export const score = (answer: Scores): number => answer.response.score;
export const list = (answer: Interests): string[] => answer.response['1'];
`;

function compile(folder) {
    const options = { encoding: 'utf8', timeout: LIMIT_MS, stdio: 'pipe' };
    const tool = (name, ...words) => execFileSync(process.execPath,
        [path.join(modules, name), ...words], options);

    fs.mkdirSync(folder, { recursive: true });
    fs.writeFileSync(`${folder}/program.ts`, PROGRAM);
    try {
        tool('openapi-typescript/bin/cli.js', file, '-o', `${folder}/api.ts`);
        tool('typescript/bin/tsc', '--noEmit', '--strict', '--target', 'es2022',
            '--moduleResolution', 'bundler', '--module', 'es2022',
            `${folder}/program.ts`);
        check('openapi-typescript', []);
    } catch (error) {
        check('openapi-typescript', [error.stdout + error.stderr]);
    }
}

async function main(folder) {
    compile(folder);
    await lookAtViewer().catch((error) => check('Swagger UI', [error.message]));
    console.log(`${results.passed} passed, ${results.failed} failed`);
    process.exitCode = results.failed === 0 ? 0 : 1;
}

main(process.argv[2]);
