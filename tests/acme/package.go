// Package acme pins programs of others that tests need: a certificate authority that speaks ACME, and a DNS server for it.
package acme
