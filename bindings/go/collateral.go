package verifier

import (
	"context"
	"crypto/tls"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Collateral is the documents as they came, of Intel's PCS API version 4. Verify says what they are worth.
type Collateral struct {
	TCBInfo, TCBInfoChain       []byte // JSON; PEM
	QEIdentity, QEIdentityChain []byte
	RootCRL, PCKCRL             []byte // DER, hexadecimal or PEM
}

type file struct {
	name, what string
	data       *[]byte
}

// files are the documents in a folder, under the names that `enclavectl verify --collateral` reads.
func (c *Collateral) files() []file {
	return []file{
		{"tcb-info.json", "TCB info", &c.TCBInfo},
		{"tcb-info-chain.pem", "the TCB info's chain", &c.TCBInfoChain},
		{"qe-identity.json", "QE identity", &c.QEIdentity},
		{"qe-identity-chain.pem", "the QE identity's chain", &c.QEIdentityChain},
		{"root.crl", "the root's CRL", &c.RootCRL},
		{"pck.crl", "the PCK CA's CRL", &c.PCKCRL},
	}
}

func (c *Collateral) missing() string {
	for _, f := range c.files() {
		if *f.data == nil {
			return f.what
		}
	}
	return ""
}

// LoadCollateral reads a folder; what is missing there is missing.
func LoadCollateral(folder string) (*Collateral, error) {
	c, found := &Collateral{}, 0
	for _, f := range c.files() {
		in, err := os.Open(filepath.Join(folder, f.name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		} else if err != nil {
			return nil, err
		}
		data, err := readAll(in, documentMax)
		in.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		*f.data, found = data, found+1
	}
	if found == 0 {
		return nil, fmt.Errorf("%s: no collateral there (tcb-info.json ...)", folder)
	}
	return c, nil
}

func readAll(in io.Reader, most int) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(in, int64(most)+1))
	if err == nil && len(data) > most {
		err = errors.New("too large")
	}
	return data, err
}

// ---- from a PCCS ------------------------------------------------------------------------------------------------

const (
	apiPath      = "/sgx/certification/v4"
	fetchTimeout = 20 * time.Second
)

// fetcher asks a PCCS. Nothing of its own is trusted: every document is signed.
type fetcher struct {
	context context.Context
	base    string
	client  *http.Client
}

// FetchCollateral asks a PCCS, or Intel's PCS, for what belongs to a certificate's quote, in 20 seconds at most. The address
// is that of the service, with or without its path.
func FetchCollateral(ctx context.Context, pccs string, certificate []byte) (*Collateral, error) {
	return FetchCollateralTLS(ctx, pccs, certificate, nil)
}

// FetchCollateralTLS is FetchCollateral with what is to be believed of a PCCS of one's own.
func FetchCollateralTLS(ctx context.Context, pccs string, certificate []byte, config *tls.Config) (*Collateral, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	leaf, err := parseCertificate(certificate)
	if err != nil {
		return nil, err
	}
	data, count := leaf.extension(oidQuote)
	if count != 1 {
		return nil, errors.New("the certificate does not carry exactly one SGX quote")
	}
	q, err := parseQuote(data)
	if err != nil {
		return nil, fmt.Errorf("the quote: %w", err)
	}
	chain, err := readCertificates(q.chain, 8)
	if err != nil {
		return nil, fmt.Errorf("the quote's chain: %w", err)
	}
	transport := &http.Transport{TLSClientConfig: config, DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10,
		Proxy: http.ProxyFromEnvironment}
	f := &fetcher{ctx, strings.TrimSuffix(strings.TrimRight(pccs, "/"), apiPath) + apiPath, &http.Client{Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	return f.all(chain)
}

var errStatus = errors.New("it has none")

func (f *fetcher) get(address string) ([]byte, http.Header, error) {
	request, err := http.NewRequestWithContext(f.context, http.MethodGet, address, nil)
	if err != nil {
		return nil, nil, err
	}
	answer, err := f.client.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("%s: the server answers %d: %w", address, answer.StatusCode, errStatus)
	}
	data, err := readAll(answer.Body, 2*documentMax) // hexadecimal doubles a CRL
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", address, err)
	}
	return data, answer.Header, nil
}

// chained gets a document and its issuers' chain, which stands URL-encoded in one of these fields.
func (f *fetcher) chained(path string, document, chain *[]byte, fields ...string) error {
	data, header, err := f.get(f.base + path)
	if err != nil {
		return err
	}
	for _, name := range fields {
		if text, err := url.PathUnescape(header.Get(name)); err == nil && text != "" {
			*document, *chain = data, []byte(text)
			return nil
		}
	}
	return fmt.Errorf("%s: the server's answer lacks the issuers' chain", path)
}

func (f *fetcher) all(chain []*certificate) (*Collateral, error) {
	p, err := readPlatform(chain[0])
	if err != nil {
		return nil, fmt.Errorf("the PCK certificate: %w", err)
	}
	c, ca := &Collateral{}, "processor"
	if strings.Contains((&certificate{subject: chain[0].issuer}).commonName(), "Platform") {
		ca = "platform"
	}
	if c.PCKCRL, _, err = f.get(f.base + "/pckcrl?ca=" + ca + "&encoding=der"); err != nil {
		return nil, err
	}
	// a PCCS looks for capitals
	if err = f.chained(fmt.Sprintf("/tcb?fmspc=%X", p.fmspc), &c.TCBInfo, &c.TCBInfoChain, "TCB-Info-Issuer-Chain",
		"SGX-TCB-Info-Issuer-Chain"); err != nil {
		return nil, err
	}
	if err = f.chained("/qe/identity", &c.QEIdentity, &c.QEIdentityChain, "SGX-Enclave-Identity-Issuer-Chain"); err != nil {
		return nil, err
	}
	if c.RootCRL, _, err = f.get(f.base + "/rootcacrl"); errors.Is(err, errStatus) {
		c.RootCRL, err = f.rootListFromPoint(chain[len(chain)-1])
	}
	return c, err
}

// rootListFromPoint: Intel's PCS itself does not serve the root's list; the root's certificate says where it is. Nobody
// else's certificate may send us to an address: whoever presents a quote would choose what is asked from the client's network.
func (f *fetcher) rootListFromPoint(root *certificate) ([]byte, error) {
	value, count := root.extension(oidCRLPoints)
	if count != 1 || !root.hasIntelKey() || root.signedBy(root) != "" {
		return nil, errors.New("the root's CRL: neither the server nor an Intel root's certificate has it")
	}
	var points []struct {
		Point struct {
			Names []asn1.RawValue `asn1:"optional,tag:0"`
		} `asn1:"optional,tag:0"`
		Reasons asn1.BitString `asn1:"optional,tag:1"`
		Issuer  asn1.RawValue  `asn1:"optional,tag:2"`
	}
	if _, err := asn1.Unmarshal(value, &points); err != nil {
		return nil, fmt.Errorf("the root's CRL: %w", err)
	}
	for _, point := range points {
		for _, name := range point.Point.Names {
			if name.Class == asn1.ClassContextSpecific && name.Tag == 6 {
				data, _, err := f.get(string(name.Bytes))
				return data, err
			}
		}
	}
	return nil, errors.New("the root's CRL: the root's certificate does not say where it is")
}
