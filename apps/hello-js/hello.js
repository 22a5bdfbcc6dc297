// A fetch-event handler, as any JavaScript service worker has it. /from?URL answers with what another server says, over
// HTTPS that ends in the enclave; the body of a POST is sent on.
addEventListener("fetch", (event) => event.respondWith(answer(event.request)));

async function answer(request) {
  const { pathname, search } = new URL(request.url);
  if (pathname.startsWith("/from")) return passOn(request, decodeURIComponent(search.slice(1)));
  return new Response("Hello from JavaScript inside the enclave\n", { headers: { "content-type": "text/plain" } });
}

async function passOn(request, url) {
  const options = request.method === "POST" ? { method: "POST", body: await request.text() } : {};
  try {
    const response = await fetch(url, options);
    return new Response(await response.text(), { status: response.status });
  } catch (error) {
    return new Response(`${error}\n`, { status: 502 });
  }
}
