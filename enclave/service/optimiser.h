/*
 * Optimised code for apps that were deployed, or compiled again, with quick code (wasm/runtime.h). One app at a
 * time, of those that the list says have no artefact (deployed.h): its component is read from the store and
 * optimised on a thread of its own; the artefact is kept, record by record, and between two changes the list names
 * it and the app is served with it.
 *
 *     optimiser_look();           boot is over, or an app was deployed: begins with one, unless it is at one
 *     left = optimiser_stop();    after change_stop
 *
 * Nothing that is attested changes by it: the component is the same, and no generation is made. What is cut off at any
 * moment leaves an app with quick code, and at most records that no list names, which boot removes.
 *
 * Limits. An app for which it fails is tried again a minute later, OPTIMISER_TRIES_MAX times in all until the next
 * start. It wants as much memory as a push (docs/memory.md), and a push that finds too little waits for it.
 *
 * Threads: the owner's, all of them. The compiling thread is started for the first app.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_OPTIMISER_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_OPTIMISER_H

#include <stdbool.h>

void optimiser_look(void);
bool optimiser_is_busy(void); /* any thread */
/* True: it compiles, for which nobody waits; its memory goes with the enclave. */
bool optimiser_stop(void);

#endif
