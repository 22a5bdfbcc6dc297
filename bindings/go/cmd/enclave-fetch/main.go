// enclave-fetch gets a page of an enclave, once it is the one that a policy file expects.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"

	verifier "enclave-os/verifier"
)

func main() {
	var policy, pccs, folder, relay, data string
	var fresh, any, sealed bool
	flag.StringVar(&policy, "policy", "", "`FILE` that says what is expected (docs/policy.md)")
	flag.StringVar(&pccs, "pccs", "", "`URL` of a PCCS, for collateral")
	flag.StringVar(&folder, "collateral", "", "`FOLDER` with collateral, instead")
	flag.BoolVar(&fresh, "fresh", false, "have it prove itself once more, for this very connection")
	flag.BoolVar(&any, "any-instance", false, "be content with an enclave of which nothing says whose it is")
	flag.BoolVar(&sealed, "sealed", false, "encrypt the request to the enclave itself, whoever terminates TLS in between")
	flag.StringVar(&relay, "relay", "", "`URL` to send it to then; default: the server's own gateway")
	flag.StringVar(&data, "data", "", "`FILE` to send, by POST")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: enclave-fetch -policy FILE [-pccs URL | -collateral FOLDER] [-fresh | -sealed [-relay URL]]\n"+
			"                     [-any-instance] [-data FILE] URL")
		flag.PrintDefaults()
	}
	flag.Parse()
	if policy == "" || flag.NArg() != 1 || (pccs != "" && folder != "") || (relay != "" && !sealed) || (fresh && sealed) {
		flag.Usage()
		os.Exit(2)
	}
	client, err := clientFor(policy, pccs, folder, fresh, any)
	if err != nil {
		fmt.Fprintln(os.Stderr, "enclave-fetch:", err)
		os.Exit(2)
	}
	transport, err := transportOf(client, sealed, relay)
	if err == nil {
		err = ask(transport, flag.Arg(0), data)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "enclave-fetch:", err)
		var refused *verifier.Error
		if errors.As(err, &refused) || errors.Is(err, verifier.ErrSwapped) {
			os.Exit(1)
		}
		os.Exit(3)
	}
}

func clientFor(policy, pccs, folder string, fresh, any bool) (*verifier.Client, error) {
	p, err := verifier.LoadPolicy(policy)
	if err != nil {
		return nil, err
	}
	if fresh {
		p = p.RequireFresh()
	}
	if any {
		p = p.AnyInstance()
	}
	c := &verifier.Client{Policy: p}
	if pccs != "" {
		c.Collateral = func(ctx context.Context, certificate []byte) (*verifier.Collateral, error) {
			return verifier.FetchCollateral(ctx, pccs, certificate)
		}
	} else if folder != "" {
		loaded, err := verifier.LoadCollateral(folder)
		if err != nil {
			return nil, err
		}
		c.Collateral = func(context.Context, []byte) (*verifier.Collateral, error) { return loaded, nil }
	}
	return c, nil
}

// transportOf is how requests go: over TLS to the enclave itself, or encrypted to it, beneath a TLS that proves nothing.
func transportOf(c *verifier.Client, sealed bool, relay string) (http.RoundTripper, error) {
	if !sealed {
		return c.Transport()
	}
	return c.Sealed(&http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, relay)
}

func ask(transport http.RoundTripper, address, data string) error {
	client := &http.Client{Transport: transport}
	request, err := http.NewRequest(http.MethodGet, address, nil)
	if data != "" {
		content, wrong := os.ReadFile(data)
		if wrong != nil {
			return wrong
		}
		request, err = http.NewRequest(http.MethodPost, address, bytes.NewReader(content))
	}
	if err != nil {
		return err
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", address, answer.Status)
	}
	_, err = io.Copy(os.Stdout, answer.Body)
	return err
}
