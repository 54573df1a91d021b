const request = @REQUEST@;
const answer = await fetch('@ORIGIN@/method', {
    method: 'POST',
    body: JSON.stringify(request),
    signal: AbortSignal.timeout(5000),
});
console.log(await answer.text());
