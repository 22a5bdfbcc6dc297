// enclave-fetch gets a page of an enclave, once it is the one that a policy file expects.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"

	verifier "enclave-os/verifier"
)

func main() {
	var policy, pccs, folder string
	var fresh, any bool
	flag.StringVar(&policy, "policy", "", "`FILE` that says what is expected (docs/policy.md)")
	flag.StringVar(&pccs, "pccs", "", "`URL` of a PCCS, for collateral")
	flag.StringVar(&folder, "collateral", "", "`FOLDER` with collateral, instead")
	flag.BoolVar(&fresh, "fresh", false, "have it prove itself once more, for this very connection")
	flag.BoolVar(&any, "any-instance", false, "be content with an enclave of which nothing says whose it is")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: enclave-fetch -policy FILE [-pccs URL | -collateral FOLDER] [-fresh] [-any-instance] URL")
		flag.PrintDefaults()
	}
	flag.Parse()
	if policy == "" || flag.NArg() != 1 || (pccs != "" && folder != "") {
		flag.Usage()
		os.Exit(2)
	}
	client, err := clientFor(policy, pccs, folder, fresh, any)
	if err != nil {
		fmt.Fprintln(os.Stderr, "enclave-fetch:", err)
		os.Exit(2)
	}
	if err := get(client, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "enclave-fetch:", err)
		var refused *verifier.Error
		if errors.As(err, &refused) {
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

func get(c *verifier.Client, address string) error {
	transport, err := c.Transport()
	if err != nil {
		return err
	}
	answer, err := (&http.Client{Transport: transport}).Get(address)
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
