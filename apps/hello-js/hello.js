// A fetch-event handler, as any JavaScript service worker has it.
addEventListener("fetch", (event) => {
  event.respondWith(new Response("Hello from JavaScript inside the enclave\n", { headers: { "content-type": "text/plain" } }));
});
