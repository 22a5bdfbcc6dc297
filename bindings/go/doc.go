// Package verifier judges enclaves of Enclave OS (Mini): their quotes and certificates, and what runs there, by a policy file.
// It has the checks of the C library, by the same names; docs/verify.md says what they are, docs/policy.md what a policy can
// expect. It needs nothing but the standard library.
//
//	policy, err := verifier.LoadPolicy("policy.json")
//	...
//	transport, err := (&verifier.Client{Policy: policy}).Transport()
//	...
//	client := &http.Client{Transport: transport}
//	answer, err := client.Get("https://enclave.example:8443/hello/")
//
// Every connection of the transport is judged before anything is sent. An error that wraps *Error says that a server was
// refused, and has every check; any other says that nothing is known of it.
//
// Judged is by one's own knowledge alone: what a policy remembers of a log (log.size, log.root) is not written down anew, as
// the C library's log state is.
package verifier
