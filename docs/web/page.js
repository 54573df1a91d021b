/* Fills the page in: the viewer, and the address that this service has here. */
'use strict';

const dark = window.matchMedia('(prefers-color-scheme: dark)');

function followScheme() {
    document.documentElement.classList.toggle('dark-mode', dark.matches);
}

followScheme();
dark.addEventListener('change', followScheme);
document.getElementById('origin').textContent = window.location.origin;

SwaggerUIBundle({
    url: 'openapi.json',
    dom_id: '#viewer',
    layout: 'BaseLayout',
    presets: [SwaggerUIBundle.presets.apis],
    validatorUrl: null, /* asks no other host */
    queryConfigEnabled: false,
    docExpansion: 'full',
    tryItOutEnabled: true,
    displayRequestDuration: true,
    defaultModelsExpandDepth: 0,
    defaultModelExpandDepth: 5, /* down to the rules of each field */
});
