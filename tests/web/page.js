/*
 * Tests the documentation page of a running stack in headless Chromium: on a
 * desktop and on a phone, in light and dark, by keyboard alone, without scripts,
 * and in print.
 *
 *     node tests/web/page.js http://127.0.0.1:8080 trial|own [FOLDER]
 *
 * "trial": the stack accepts the published account; "own": it does not. With a
 * folder, it saves pictures of the page there. Needs NODE_PATH, and CHROMIUM if
 * that is not /usr/bin/chromium. The last line is "N passed, N failed", or with
 * ", N skipped".
 */
'use strict';

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { chromium } = require('playwright-core');

const description = require(path.resolve(__dirname, '../../docs/openapi.json'));
const axe = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const operation = description.paths['/method'].post;
const body = operation.requestBody.content['application/json'];
const examples = body.examples;
const methods = Object.keys(body.schema.discriminator.mapping);
const { account, login, token } = examples.score.value;

const LIMIT_MS = 30000;
const TABS_MAX = 8;
const SIZE_MAX = 80 * 1000;
const PAINT_MAX_MS = 1000; /* on an idle machine it takes some 100 */
const PAINT_LOADS = 8;
const PROGRAM_MAX_MS = 120000; /* includes compiling Go */

const screens = [
    { name: 'desktop', width: 1280, height: 900, colorScheme: 'light' },
    { name: 'phone', width: 390, height: 844, colorScheme: 'light' },
    { name: 'desktop in dark', width: 1280, height: 900, colorScheme: 'dark' },
    { name: 'phone in dark', width: 390, height: 844, colorScheme: 'dark' },
];

/* How to run each sample, by its name on the page; FILE is the sample's file. */
const programs = {
    curl: { file: 'sample.sh', command: ['sh', 'FILE'], needs: 'curl' },
    Python: { file: 'sample.py', command: ['/usr/bin/python3', 'FILE'] },
    PHP: { file: 'sample.php', command: ['php', 'FILE'] },
    Go: { file: 'sample.go', command: ['go', 'run', 'FILE'] },
    Node: { file: 'sample.mjs', command: ['node', 'FILE'] },
};

/* Arguments with all characters that could end a string in a program. */
const ODD_ARGUMENTS = {
    first_name: '\'"`$HOME ${x} \\ \\n ?> </script> %s é 😀',
    last_name: '\n\'\'\'',
    gender: null, birthday: '', 'unknown member': [true, false, {}, []],
};

const results = { passed: 0, failed: 0, skipped: 0 };

function check(name, faults) {
    results[faults.length === 0 ? 'passed' : 'failed']++;
    if (faults.length > 0)
        console.log(`FAILED ${name}: ${faults.join('; ')}`);
}

function checkEqual(name, got, want) {
    check(name, got === want ? [] : [`got ${got}, wanted ${want}`]);
}

function checkAtMost(name, got, most) {
    check(name, got <= most ? [] : [`${got} is more than ${most}`]);
}

/* Collects errors of a page, and its requests to other hosts. */
function watch(page, base) {
    const seen = { faults: [], strangers: [] };

    page.on('console', (message) => {
        if (['error', 'warning'].includes(message.type()))
            seen.faults.push(message.text());
    });
    page.on('pageerror', (error) => seen.faults.push(error.message));
    page.on('requestfailed', (request) => seen.faults.push(request.url()));
    page.on('request', (request) => {
        if (new URL(request.url()).origin !== base)
            seen.strangers.push(request.url());
    });
    return seen;
}

/* The size of the page and all that it loads, in bytes before compression. */
function sizeOf(page) {
    return page.evaluate(() => [...performance.getEntriesByType('navigation'),
        ...performance.getEntriesByType('resource')]
        .filter((entry) => entry.initiatorType !== 'fetch')
        .reduce((sum, entry) => sum + entry.decodedBodySize, 0));
}

/* The shortest time of several loads; longer times are the machine's. */
async function firstPaint(page) {
    let least = Infinity;

    for (let load = 0; load < PAINT_LOADS && least > PAINT_MAX_MS; load++) {
        if (load > 0)
            await page.reload({ waitUntil: 'networkidle' });
        least = Math.min(least, await page.evaluate(() => performance
            .getEntriesByName('first-contentful-paint')[0].startTime));
    }
    return least;
}

function form(page, method) {
    return page.locator(`form[data-method=${method}]`);
}

async function open(browser, base, options = {}) {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    const seen = watch(page, base);

    page.setDefaultTimeout(LIMIT_MS);
    await page.goto(`${base}/`, { waitUntil: 'networkidle' });
    return { context, page, seen };
}

async function typeCredentials(page) {
    for (const [name, value] of Object.entries({ account, login, token }))
        await page.locator(`#credentials [name=${name}]`).fill(value);
}

/* Sends a form by its button, or by press(). Returns the status and the request. */
async function send(page, method, press) {
    const act = press ?? (() => form(page, method).locator('[type=submit]').click());
    const [response] = await Promise.all([
        page.waitForResponse((r) => r.url().endsWith('/method')), act(),
    ]);

    await form(page, method).locator('.outcome[data-good]').waitFor();
    await page.waitForFunction((status) => [...document.querySelectorAll('.outcome')]
        .some((line) => line.textContent.startsWith(status)), `${response.status()}`);
    return { status: response.status(), sent: response.request().postData() };
}

function shown(page, method) {
    return form(page, method).locator('.answer').innerText();
}

function overflow(page) {
    return page.evaluate(() =>
        document.documentElement.scrollWidth - window.innerWidth);
}

/* By the debugger, because the page's policy forbids to load axe. */
async function violations(page) {
    const session = await page.context().newCDPSession(page);
    const run = `${axe}; axe.run().then((r) => JSON.stringify(r.violations
        .flatMap((v) => v.nodes.map((n) => v.id + ' ' + n.html.slice(0, 100)))))`;
    const { result } = await session.send('Runtime.evaluate',
        { expression: run, awaitPromise: true, returnByValue: true });

    await session.detach();
    return JSON.parse(result.value);
}

async function chooseExample(page, method, name) {
    await form(page, method).locator('.example select')
        .selectOption({ label: examples[name].summary });
}

/* Sends every form with its initial values. */
async function tryMethods(page, name) {
    for (const method of methods) {
        const { status } = await send(page, method);

        checkEqual(`${name}: ${method}`, status, 200);
        check(`${name}: ${method}: status, time and headers are shown`,
            /^200 OK in [\d.]+ ms\n[^]*"code": 200[^]*x-request-id/
                .test(await shown(page, method)) ? [] :
                [await shown(page, method)]);
    }
}

async function lookAt(browser, base, screen, folder) {
    const { name, width, height, colorScheme } = screen;
    const { context, page, seen } = await open(browser, base,
        { viewport: { width, height }, colorScheme });

    checkEqual(`${name}: title`, await page.title(), description.info.title);
    checkEqual(`${name}: too wide by`, await overflow(page), 0);
    checkEqual(`${name}: methods`, await page.locator('form[data-method]').count(),
        methods.length);
    checkEqual(`${name}: errors`, await page.locator('.error').count(),
        Object.keys(operation.responses).length - 1);
    checkAtMost(`${name}: bytes`, await sizeOf(page), SIZE_MAX);
    checkAtMost(`${name}: first paint in ms`, await firstPaint(page), PAINT_MAX_MS);
    check(`${name}: axe`, await violations(page));
    await tryMethods(page, name);
    checkEqual(`${name}: too wide with an answer by`, await overflow(page), 0);
    check(`${name}: axe, with answers`, await violations(page));
    check(`${name}: nothing is complained of`, seen.faults);
    await tryMistake(page, name);
    check(`${name}: axe, with a mistake as JSON`, await violations(page));
    check(`${name}: no other host is asked`, seen.strangers);
    if (folder)
        await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
    await context.close();
}

async function tryMistake(page, name) {
    await chooseExample(page, 'online_score', 'wrong_fields');
    checkEqual(`${name}: status of a mistake`,
        (await send(page, 'online_score')).status, 422);
    check(`${name}: the mistake is shown`,
        (await shown(page, 'online_score')).includes('email: must contain @') ?
            [] : [await shown(page, 'online_score')]);
    await page.locator('label[for=online_score-json]').click();
    check(`${name}: the arguments as JSON`,
        (await page.inputValue('#online_score-text')).includes('"31.02.1990"') ?
            [] : [await page.inputValue('#online_score-text')]);
}

/* On a new page, without a mouse, typing the credentials. */
async function tryKeyboard(browser, base) {
    const { context, page } = await open(browser, base);
    let tabs = 0;
    const tab = async () => {
        tabs++;
        await page.keyboard.press('Tab');
    };
    const focused = () => page.evaluate(() => document.activeElement.id ||
        document.activeElement.name || document.activeElement.className);

    await tab();
    await page.keyboard.press('Enter'); /* the link that skips the contents */
    await page.waitForURL('**/#try');
    for (const [name, value] of Object.entries({ account, login, token })) {
        await tab();
        checkEqual(`keyboard: ${tabs} Tabs`, await focused(), name);
        await page.keyboard.press('Control+A');
        await page.keyboard.type(value);
    }
    while (!(await focused()).startsWith('online_score-phone') && tabs < TABS_MAX)
        await tab();
    const { status } = await send(page, 'online_score',
        () => page.keyboard.press('Enter'));

    checkEqual('keyboard: a score', status, 200);
    checkAtMost('keyboard: Tabs', tabs, TABS_MAX);
    await context.close();
}

/* Credentials are typed once, and stored nowhere. */
async function tryMemory(browser, base) {
    const { context, page } = await open(browser, base);

    await typeCredentials(page);
    for (const method of methods)
        checkEqual(`typed once: ${method}`, (await send(page, method)).status, 200);
    checkEqual('stored', await page.evaluate(() => JSON.stringify(
        [localStorage.length, sessionStorage.length, document.cookie])),
    '[0,0,""]');
    checkEqual('a token in the address', page.url(), `${base}/`);
    await context.close();
}

function hasProgram(name) {
    try {
        execFileSync('sh', ['-c', `command -v ${name}`], { stdio: 'ignore' });
        return true;
    } catch {
        return false;
    }
}

function run(folder, { file, command }, text) {
    const at = path.join(folder, file);

    fs.writeFileSync(at, text);
    return execFileSync(command[0], command.slice(1).map((word) =>
        (word === 'FILE' ? at : word)), {
        env: { ...process.env, API_TOKEN: token, GOCACHE: `${folder}/go`,
            GOFLAGS: '-mod=mod', GO111MODULE: 'auto', HTTP_PROXY: '' },
        timeout: PROGRAM_MAX_MS, encoding: 'utf8',
    });
}

/* Runs the samples that the page shows now; each must print the answer. */
async function trySamples(page, method, what, want) {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'scoring-samples.'));

    for (const [name, program] of Object.entries(programs)) {
        const wanted = program.needs ?? program.command[0];

        if (!hasProgram(wanted)) {
            console.log(`skipped: the ${name} sample: there is no ${wanted} here`);
            results.skipped++;
            continue;
        }
        const pane = form(page, method).locator('.pane')
            .filter({ has: page.locator('button', { hasText: `the ${name} request` }) });
        let got;

        try {
            got = run(folder, program, await pane.locator('code').textContent());
        } catch (error) {
            got = error.message;
        }
        checkEqual(`${method}, ${what}: the ${name} sample`, got.trim(), want);
    }
    fs.rmSync(folder, { recursive: true });
}

async function tryAllSamples(browser, base) {
    const { context, page } = await open(browser, base);
    const text = JSON.stringify(ODD_ARGUMENTS);

    for (const method of methods) {
        await send(page, method);
        const { sent } = await send(page, method);
        const answer = await (await fetch(`${base}/method`,
            { method: 'POST', body: sent })).text();

        await trySamples(page, method, 'as it comes', answer.trim());
    }
    await page.locator('label[for=online_score-json]').click();
    await page.fill('#online_score-text', text);
    await trySamples(page, 'online_score', 'odd names',
        '{"code": 200, "response": {"score": 0.5}}');
    checkEqual('odd names are sent as they are',
        JSON.stringify(JSON.parse((await send(page, 'online_score')).sent).arguments),
        text);
    await context.close();
}

/* Numbers are sent and shown with all of their digits. */
async function tryNumbers(browser, base) {
    const { context, page } = await open(browser, base);
    const id = '9223372036854775807';

    await page.fill('#clients_interests-client_ids', `1 ${id},-2`);
    check('ids of 64 bits', (await send(page, 'clients_interests')).sent
        .includes(`[1, ${id}, -2]`) ? [] : ['they are not sent so']);
    await page.locator('label[for=clients_interests-json]').click();
    await page.locator('label[for=clients_interests-form]').click();
    checkEqual('ids of 64 bits: there and back', await page.inputValue(
        '#clients_interests-client_ids'), `1, ${id}, -2`);
    await page.locator('label[for=clients_interests-json]').click();
    await page.fill('#clients_interests-text', '{"date": 1');
    checkEqual('broken JSON is sent',
        (await send(page, 'clients_interests')).status, 400);
    await page.locator('label[for=clients_interests-form]').click();
    checkEqual('broken JSON is no form', await page.isVisible(
        '#clients_interests-text'), true);
    await context.close();
}

async function tryCopy(browser, base) {
    const { context, page } = await open(browser, base,
        { permissions: ['clipboard-read', 'clipboard-write'] });
    const pane = form(page, 'online_score').locator('.pane').first();

    await pane.locator('button').click();
    checkEqual('copied', await page.evaluate(() => navigator.clipboard.readText()),
        await pane.locator('code').textContent());
    await context.close();
}

/* The page without JavaScript has the same text; in print it has no contents. */
async function tryPlain(browser, base, folder) {
    const { context, page, seen } = await open(browser, base,
        { javaScriptEnabled: false });
    const text = await page.innerText('main');

    for (const word of [...methods, 'client_ids', 'first_name', 'curl', '422',
        'Retry-After', 'The forms need JavaScript'])
        check(`without a script: ${word}`, text.includes(word) ? [] : ['missing']);
    checkEqual('without a script: controls', await page.locator(
        'button:visible, textarea:visible, select:visible, input[type=text]:visible')
        .count(), 0);
    check('without a script: nothing is complained of', seen.faults);
    await page.emulateMedia({ media: 'print' });
    checkEqual('on paper: the contents', await page.locator('nav:visible').count(), 0);
    if (folder)
        await page.pdf({ path: `${folder}/paper.pdf` });
    await context.close();
}

/* If the published account is not accepted, the page does not show it. */
async function lookAtOwn(browser, base) {
    const { context, page } = await open(browser, base);
    const text = await page.innerText('body');

    for (const word of ['Otus', 'sha512sum', token])
        check(`own salt: ${word}`, text.includes(word) ? ['is shown'] : []);
    checkEqual('own salt: the token field',
        await page.inputValue('#credentials [name=token]'), '');
    checkEqual('own salt: nothing typed', (await send(page, 'online_score')).status, 403);
    await context.close();
}

async function lookAtTrial(browser, base, folder) {
    for (const screen of screens)
        await lookAt(browser, base, screen, folder);
    await tryKeyboard(browser, base);
    await tryMemory(browser, base);
    await tryNumbers(browser, base);
    await tryCopy(browser, base);
    await tryPlain(browser, base, folder);
    await tryAllSamples(browser, base);
}

async function main(base, kind, folder) {
    const browser = await chromium.launch({
        executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
        /* Chromium's sandbox refuses root, and the page is trusted. */
        args: process.getuid() === 0 ? ['--no-sandbox'] : [],
    });

    try {
        await (kind === 'own' ? lookAtOwn : lookAtTrial)(browser, base, folder);
    } catch (error) {
        check('page', [error.message]);
    } finally {
        await browser.close();
    }
    console.log(`${results.passed} passed, ${results.failed} failed` +
        (results.skipped > 0 ? `, ${results.skipped} skipped` : ''));
    process.exitCode = results.failed === 0 ? 0 : 1;
}

main(process.argv[2], process.argv[3], process.argv[4]);
