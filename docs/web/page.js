/*
 * Brings the page to life: sends requests, shows their answers, and keeps the
 * samples in step with the forms. Credentials are in the fields of the page and
 * nowhere else: nothing is stored.
 */
'use strict';

const LIMIT_MS = 10000;
const COPIED_MS = 1500;
const INLINE_MAX = 60; /* characters of an array that stays in one line */
const TOKEN = /"(?:[^"\\]|\\.)*"|[-\w][^\s,\]}]*|[[\]{}:,]/g;

const credentials = document.getElementById('credentials');
const who = credentials.elements;
const forms = [...document.querySelectorAll('form[data-method]')];

/* --- JSON as text: numbers keep their digits, which values would lose */

/* A string without what ends one in a program, or is replaced in it. */
function plainString(token) {
    return JSON.stringify(JSON.parse(token))
        .replace(/['`$]/g, (c) => `\\u${c.charCodeAt().toString(16).padStart(4, '0')}`);
}

/* The text of a valid JSON text over several lines; scalar() writes the rest. */
function pretty(text, scalar = (token) => token) {
    const tokens = text.match(TOKEN);
    let at = 0;

    function list(close, outer, item) {
        const inner = `${outer}  `;
        const items = [];

        while (tokens[at] !== close) {
            items.push(item(inner));
            if (tokens[at] === ',')
                at++;
        }
        at++;
        return { items, inner };
    }
    function value(outer) {
        const token = tokens[at++];

        if (token === '{') {
            const { items, inner } = list('}', outer, (indent) => {
                const name = scalar(tokens[at]);

                at += 2;
                return `${name}: ${value(indent)}`;
            });

            return items.length === 0 ? '{}' :
                `{\n${inner}${items.join(`,\n${inner}`)}\n${outer}}`;
        }
        if (token === '[') {
            const { items, inner } = list(']', outer, value);
            const short = `[${items.join(', ')}]`;

            return short.length <= INLINE_MAX && !short.includes('\n') ? short :
                `[\n${inner}${items.join(`,\n${inner}`)}\n${outer}]`;
        }
        return scalar(token);
    }
    return value('');
}

function isJson(text) {
    try {
        JSON.parse(text);
        return true;
    } catch {
        return false;
    }
}

/* --- the arguments of a form, as JSON and back */

function numbersText(text) {
    const items = text.split(/[\s,]+/).filter((item) => item !== '')
        .map((item) => (isJson(item) ? item : JSON.stringify(item)));

    return `[${items.join(', ')}]`;
}

const writers = { /* what a field holds, as JSON */
    text: (value) => JSON.stringify(value),
    numbers: numbersText,
    choice: (value) => value,
    flag: (value) => value,
    json: (value) => (isJson(value) ? value : JSON.stringify(value)),
};

const readers = { /* JSON as the field shows it, or null if it cannot */
    text: (value) => (typeof value === 'string' && value !== '' ? value : null),
    numbers: (value, text) => (Array.isArray(value) && value.length > 0 &&
        value.every((item) => typeof item === 'number') ?
        text.slice(1, -1).replaceAll(',', ', ') : null),
    choice: (value, text, field) => (
        [...field.options].some((option) => option.value === text) ? text : null),
    flag: (value, text) => (typeof value === 'boolean' ? text : null),
    json: (value, text) => pretty(text),
};

function fieldsOf(form) {
    return [...form.querySelectorAll('[data-kind]')];
}

function textOf(form) {
    return form.querySelector('.text textarea');
}

function showsJson(form) {
    return form.querySelector('input[value=json]').checked;
}

function argumentsOf(form) {
    if (showsJson(form))
        return textOf(form).value;
    return `{${fieldsOf(form).filter((field) => field.value !== '')
        .map((field) => `${JSON.stringify(field.name)}: ` +
            writers[field.dataset.kind](field.value)).join(', ')}}`;
}

/* The members of an object: [name, value as text]. */
function membersOf(text) {
    const groups = [[]];
    let depth = 0;

    for (const token of text.match(TOKEN).slice(1, -1)) {
        depth += '[{'.includes(token) - ']}'.includes(token);
        if (depth === 0 && token === ',')
            groups.push([]);
        else
            groups.at(-1).push(token);
    }
    return groups.filter((group) => group.length > 0)
        .map(([name, , ...value]) => [JSON.parse(name), value.join('')]);
}

function isObject(text) {
    return isJson(text) && /^\s*\{/.test(text);
}

/* Fills the fields in, or says what they cannot show. */
function showInFields(form, text) {
    const fields = fieldsOf(form);
    const shown = new Map();

    if (!isObject(text))
        return 'The form can show an object only.';
    for (const [name, value] of membersOf(text)) {
        const field = fields.find((one) => one.name === name);
        const words = field &&
            readers[field.dataset.kind](JSON.parse(value), value, field);

        if (words === null || words === undefined)
            return `The form cannot show this ${name}: it stays as JSON.`;
        shown.set(name, words);
    }
    for (const field of fields)
        field.value = shown.get(field.name) ?? '';
    return '';
}

function setView(form, json) {
    form.querySelector(`input[value=${json ? 'json' : 'form'}]`).checked = true;
    form.querySelector('.fields').hidden = json;
    form.querySelector('.text').hidden = !json;
}

function say(form, text) {
    form.querySelector('.fault').textContent = text;
}

function changeView(form) {
    if (showsJson(form)) {
        form.querySelector('input[value=form]').checked = true;
        textOf(form).value = pretty(argumentsOf(form));
        setView(form, true);
        return;
    }
    const fault = showInFields(form, textOf(form).value);

    setView(form, fault !== '');
    say(form, fault);
}

function showExample(form, text) {
    const fault = showInFields(form, text);

    textOf(form).value = pretty(text);
    setView(form, fault !== '');
    say(form, '');
}

/* --- the whole request, and the same as programs */

function requestText(form, { account, login, token }) {
    const members = [
        `"account": ${JSON.stringify(account)}`,
        `"login": ${JSON.stringify(login)}`,
        ...(token === undefined ? [] : [`"token": ${JSON.stringify(token)}`]),
        `"method": ${JSON.stringify(form.dataset.method)}`,
        `"arguments": ${argumentsOf(form)}`,
    ];

    return `{${members.join(', ')}}`;
}

function scalarOf(words) {
    const names = ['true', 'false', 'null'];
    const word = new Map(words?.split(' ').map((w, i) => [names[i], w]));

    return (token) => (token.startsWith('"') ? plainString(token) :
        word.get(token) ?? token);
}

/* Whoever has typed nothing yet sees the account of the examples. */
function updateSamples(form) {
    if (!isJson(argumentsOf(form)))
        return;
    const request = requestText(form, {
        account: who.account.value || credentials.dataset.account,
        login: who.login.value || credentials.dataset.login,
    });

    for (const span of form.querySelectorAll('.request')) {
        const { token, words } = span.dataset;
        const text = pretty(request, scalarOf(words));

        span.textContent = token === undefined ? text :
            text.replace('\n  "method":', (line) => `\n  "token": ${token},${line}`);
    }
}

/* --- sending */

function showAnswer(form, outcome, isGood, headers, body) {
    const box = form.querySelector('.answer');
    const line = box.querySelector('.outcome');
    const list = document.createElement('dl');

    line.textContent = outcome;
    line.dataset.good = isGood;
    for (const [name, value] of headers) {
        const term = document.createElement('dt');
        const detail = document.createElement('dd');

        term.textContent = name;
        detail.textContent = value;
        list.append(term, detail);
    }
    box.querySelector('pre code').textContent = isJson(body) ? pretty(body) : body;
    box.querySelector('dl')?.remove();
    box.append(list);
    box.scrollIntoView({ block: 'nearest' });
}

function post(body) {
    return fetch('method', {
        method: 'POST', body, cache: 'no-store',
        signal: AbortSignal.timeout(LIMIT_MS),
    });
}

async function send(form) {
    const button = form.querySelector('[type=submit]');
    const start = performance.now();

    if (showsJson(form) && !isJson(argumentsOf(form)))
        say(form, 'This is not JSON; the service says where it breaks.');
    else
        say(form, '');
    button.disabled = true;
    try {
        const answer = await post(requestText(form, {
            account: who.account.value, login: who.login.value,
            token: who.token.value,
        }));
        const body = await answer.text();
        const ms = (performance.now() - start).toFixed(1);

        showAnswer(form, `${answer.status} ${answer.statusText} in ${ms} ms`,
            answer.ok, answer.headers, body);
    } catch (error) {
        showAnswer(form, 'No answer', false, [], error.name === 'TimeoutError' ?
            `nothing came within ${LIMIT_MS / 1000} seconds` :
            'the service cannot be reached');
    }
    button.disabled = false;
    button.focus({ preventScroll: true });
}

/* --- copying */

async function copy(button) {
    const text = button.parentElement.querySelector('code');
    const label = button.firstChild;
    const name = label.data;

    try {
        await navigator.clipboard.writeText(text.textContent);
        label.data = 'Copied';
    } catch { /* no permission, or plain HTTP: the reader copies by hand */
        getSelection().selectAllChildren(text);
        label.data = 'Selected';
    }
    setTimeout(() => { label.data = name; }, COPIED_MS);
}

/* --- a service for trying out */

function isTyped() {
    return [who.account, who.login, who.token].some(({ value }) => value !== '');
}

/*
 * Where the published salt is in force the account of the examples is good, and
 * anybody may use it. Only the service knows: it is asked, once.
 */
async function findTrial() {
    const { account, login, token } = credentials.dataset;
    const answer = await post(requestText(forms[0], { account, login, token }))
        .catch(() => null);

    await answer?.text();
    if (!answer?.ok || isTyped())
        return;
    for (const [name, value] of Object.entries({ account, login, token }))
        who[name].value = value;
    credentials.querySelector('.trial').hidden = false;
    credentials.querySelector('.trial code').textContent =
        `export API_TOKEN=${token}`;
}

function start() {
    document.documentElement.classList.add('lively');
    for (const span of document.querySelectorAll('.origin'))
        span.textContent = location.origin;
    credentials.addEventListener('input', () => forms.forEach(updateSamples));
    credentials.addEventListener('submit', (event) => event.preventDefault());
    for (const form of forms) {
        form.addEventListener('submit', (event) => {
            event.preventDefault();
            send(form);
        });
        form.addEventListener('change', ({ target }) => {
            if (target.name === `${form.dataset.method}-view`)
                changeView(form);
            else if (target.closest('.example'))
                showExample(form, target.value);
            updateSamples(form);
        });
        form.addEventListener('input', () => updateSamples(form));
    }
    for (const button of document.querySelectorAll('button.copy'))
        button.addEventListener('click', () => copy(button));
    findTrial();
}

start();
