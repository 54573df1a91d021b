/*
 * Looks at the documentation page of a running stack in headless Chromium, as
 * a partner would: on a desktop and on a phone, in light and in dark.
 *
 *     node tests/web/page.js http://127.0.0.1:8080 [FOLDER]
 *
 * With a folder it leaves pictures of the page there. Needs NODE_PATH, and
 * CHROMIUM if that is not /usr/bin/chromium. The last line is "N passed, N
 * failed".
 */
'use strict';

const path = require('node:path');

const { chromium } = require('playwright-core');

const description = require(path.resolve(__dirname, '../../docs/openapi.json'));

const LIMIT_MS = 30000;
const EXAMPLES = '.opblock-section-request-body .examples-select select';
const ANSWERS = '.opblock-post .responses-table > tbody > .response';
const CONTRAST_MIN = 3; /* WCAG 2.2, 1.4.11 */
const FULL_SCORE = '{"code": 200, "response": {"score": 5.0}}';

const screens = [
    { name: 'desktop', width: 1280, height: 900, colorScheme: 'light' },
    { name: 'phone', width: 390, height: 844, colorScheme: 'light' },
    { name: 'desktop in dark', width: 1280, height: 900, colorScheme: 'dark' },
    { name: 'phone in dark', width: 390, height: 844, colorScheme: 'dark' },
];

const results = { passed: 0, failed: 0 };

function check(name, faults) {
    results[faults.length === 0 ? 'passed' : 'failed']++;
    if (faults.length > 0)
        console.log(`FAILED ${name}: ${faults.join('; ')}`);
}

function checkEqual(name, got, want) {
    check(name, got === want ? [] : [`got ${got}, wanted ${want}`]);
}

/* What goes wrong on a page, and which hosts it asks, from now on. */
function watch(page, base) {
    const seen = { faults: [], strangers: [] };

    page.on('console', (message) => {
        if (['error', 'warning'].includes(message.type()))
            seen.faults.push(message.text());
    });
    page.on('pageerror', (error) => seen.faults.push(error.message));
    page.on('requestfailed', (request) => seen.faults.push(request.url()));
    page.on('request', (request) => {
        const { origin, protocol } = new URL(request.url());

        if (origin !== base && protocol !== 'data:')
            seen.strangers.push(origin);
    });
    return seen;
}

async function execute(page) {
    const [response] = await Promise.all([
        page.waitForResponse((r) => r.url().endsWith('/method')),
        page.click('.opblock-post button.execute'),
    ]);

    await page.waitForSelector('.live-responses-table .response');
    return response;
}

function shownAnswer(page) {
    return page.innerText('.live-responses-table tbody .response');
}

function overflow(page) {
    return page.evaluate(() =>
        document.documentElement.scrollWidth - window.innerWidth);
}

/*
 * The texts that hardly differ from what is behind them, run in the page:
 * contrast as in WCAG 2.2, of the colours that shine through one another.
 */
function faintTexts(least) {
    const channels = (color) => color.match(/[\d.]+/g).map(Number);
    const mix = ([r, g, b, alpha = 1], behind) =>
        [r, g, b].map((c, i) => c * alpha + behind[i] * (1 - alpha));
    const behind = (element) => (element ?
        mix(channels(getComputedStyle(element).backgroundColor),
            behind(element.parentElement)) : [255, 255, 255]);
    const luminance = (color) => color
        .map((c) => c / 255)
        .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const contrast = (element) => {
        const back = behind(element);
        const front = mix(channels(getComputedStyle(element).color), back);
        const [dark, light] = [back, front].map(luminance)
            .sort((a, b) => a - b);

        return (light + 0.05) / (dark + 0.05);
    };
    const walker = document.createTreeWalker(document.body,
        NodeFilter.SHOW_TEXT);
    const faint = new Set();

    for (let text = walker.nextNode(); text; text = walker.nextNode()) {
        const element = text.parentElement;

        if (text.data.trim() && element.getClientRects().length > 0 &&
            contrast(element) < least)
            faint.add(`${text.data.trim()}: ${contrast(element).toFixed(2)}`);
    }
    return [...faint];
}

/* Sent as it is: the request that is filled in. */
async function tryFirst(page, name) {
    const response = await execute(page);

    checkEqual(`${name}: status`, response.status(), 200);
    checkEqual(`${name}: answer`, (await response.text()).trim(), FULL_SCORE);
    check(`${name}: the answer is shown`,
        /^200[^]*"score": 5\b/.test(await shownAnswer(page)) ?
            [] : [await shownAnswer(page)]);
}

async function tryMistake(page, name) {
    await page.selectOption(EXAMPLES, 'wrong_fields');
    checkEqual(`${name}: status of a mistake`,
        (await execute(page)).status(), 422);
    check(`${name}: the mistake is shown`,
        (await shownAnswer(page)).includes('email: must contain @') ?
            [] : [await shownAnswer(page)]);
}

/* The rules of the fields: by how much they stick out of their box. */
async function lookAtSchema(page, name) {
    const body = page.locator('.opblock-post .opblock-section-request-body');

    await body.locator('.tab button').last().click();
    await body.locator('.json-schema-2020-12').first().waitFor();
    checkEqual(`${name}: rules too wide by`, await body.evaluate((box) =>
        Math.max(...[...box.querySelectorAll('.json-schema-2020-12 *')]
            .map((e) => e.getBoundingClientRect().right),
        box.getBoundingClientRect().right) -
        box.getBoundingClientRect().right), 0);
    check(`${name}: all rules can be read`,
        await page.evaluate(faintTexts, CONTRAST_MIN));
}

async function lookAt(browser, base, screen, folder) {
    const { name, width, height, colorScheme } = screen;
    const page = await browser.newPage({
        viewport: { width, height }, colorScheme,
    });
    const seen = watch(page, base);

    page.setDefaultTimeout(LIMIT_MS);
    await page.goto(`${base}/`);
    await page.waitForSelector('.opblock-post button.execute');
    checkEqual(`${name}: title`, await page.title(), 'Scoring API');
    checkEqual(`${name}: address in the example`,
        await page.innerText('#origin'), base);
    checkEqual(`${name}: too wide by`, await overflow(page), 0);
    checkEqual(`${name}: answers`,
        await page.locator(ANSWERS).count(),
        Object.keys(description.paths['/method'].post.responses).length);
    await tryFirst(page, name);
    checkEqual(`${name}: too wide with an answer by`, await overflow(page), 0);
    check(`${name}: all can be read`,
        await page.evaluate(faintTexts, CONTRAST_MIN));
    if (folder)
        await page.screenshot({
            path: `${folder}/${name}.png`, fullPage: true,
        });
    check(`${name}: nothing is complained of`, seen.faults);
    await tryMistake(page, name);
    await lookAtSchema(page, name);
    check(`${name}: no other host is asked`, seen.strangers);
    await page.close();
}

async function main(base, folder) {
    const browser = await chromium.launch({
        executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
        /* Its own sandbox refuses root; what it shows is ours. */
        args: process.getuid() === 0 ? ['--no-sandbox'] : [],
    });

    try {
        for (const screen of screens) {
            try {
                await lookAt(browser, base, screen, folder);
            } catch (error) {
                check(screen.name, [error.message]);
            }
        }
    } finally {
        await browser.close();
    }
    console.log(`${results.passed} passed, ${results.failed} failed`);
    process.exitCode = results.failed === 0 ? 0 : 1;
}

main(process.argv[2], process.argv[3]);
