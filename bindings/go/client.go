package verifier

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Client connects to enclaves: whoever answers is judged by the policy before anything of the caller's is sent.
type Client struct {
	Policy *Policy
	// Collateral finds what belongs to a certificate (FetchCollateral, or one that was loaded). nil: there is none.
	Collateral func(ctx context.Context, certificate []byte) (*Collateral, error)
	// Timeout is for a connection and all that is asked over it before it is used; 0: 30 seconds.
	Timeout time.Duration
	// Dialer makes the connections; nil: the network's.
	Dialer interface {
		DialContext(ctx context.Context, network, address string) (net.Conn, error)
	}
}

var (
	// ErrNobody is said of a policy that does not say whose enclave it is to be: anybody can run the same program.
	ErrNobody = errors.New("the policy does not say whose enclave it is to be (AnyInstance overrules)")
	// ErrNeedsMore is said of a policy that a handshake alone cannot answer: Dial and Transport can.
	ErrNeedsMore = errors.New("the policy needs the manifest, the log or fresh evidence, which come behind the handshake")
	errLater     = errors.New("") // behind a status that may be another one soon
	errSpent     = errors.New("the server's configuration has just changed: connect again")
)

const (
	headMax       = 64 << 10 // of an answer of the server's own pages
	freshMax      = 32 << 10
	exporterLabel = "EXPORTER-privasys-ratls-attest-v2"
	dialsMost     = 3 // where the configuration changes meanwhile
)

// accepts says whether the verdict is one that the policy is content with.
func (c *Client) accepts(r *Result) bool {
	return r.Verdict == Verified || (r.Verdict == Genuine && c.Policy.anyInstance)
}

func (c *Client) collateral(ctx context.Context, certificate []byte) (*Collateral, error) {
	if c.Collateral == nil {
		return nil, nil
	}
	return c.Collateral(ctx, certificate)
}

// full says whether the handshake proves the certificate's key: a resumed one does not show it.
func full(state *tls.ConnectionState) error {
	if state.Version != tls.VersionTLS13 || state.DidResume || len(state.PeerCertificates) == 0 {
		return errors.New("not a full TLS 1.3 handshake: nothing proves the certificate's key")
	}
	return nil
}

// bare is a configuration in which the quote decides, and no CA is asked.
func bare(verify func(tls.ConnectionState) error) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, InsecureSkipVerify: true, VerifyConnection: verify}
}

// TLSConfig is for connections of any protocol, whose handshake fails unless the certificate is what the policy expects. What
// only the manifest, the log or fresh evidence can show comes later: ErrNeedsMore. A server whose certificate has no quote (serve
// --ratls v2) fails this handshake: it has yet to be asked for it, as Dial does.
func (c *Client) TLSConfig() (*tls.Config, error) {
	if !c.Policy.NamesInstance() {
		return nil, ErrNobody
	}
	if c.Policy.NeedsManifest() || c.Policy.NeedsLog() || c.Policy.requireFresh {
		return nil, ErrNeedsMore
	}
	return bare(func(state tls.ConnectionState) error {
		if err := full(&state); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(context.Background(), c.timeout())
		defer cancel()
		certificate := state.PeerCertificates[0].Raw
		collateral, err := c.collateral(ctx, certificate)
		if err != nil {
			return fmt.Errorf("collateral: %w", err)
		}
		// Live: without a valid CertificateVerify right behind the certificate there will be no connection.
		if r := Verify(c.Policy, &Evidence{Certificate: certificate, Collateral: collateral, Live: true}); !c.accepts(r) {
			return &Error{r}
		}
		return nil
	}), nil
}

// Transport is for HTTPS to enclaves: each of its connections is one of Dial's. It refuses plain HTTP, and knows no proxies.
func (c *Client) Transport() (*http.Transport, error) {
	if !c.Policy.NamesInstance() {
		return nil, ErrNobody
	}
	refuse := errors.New("nothing is sent to servers that are not verified")
	return &http.Transport{
		DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, _, err := c.Dial(ctx, network, address)
			if err != nil {
				return nil, err // and no *tls.Conn that is nil
			}
			return conn, nil
		},
		DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, refuse },
		// Of connections through a proxy, if somebody sets one: they are not Dial's.
		TLSClientConfig: bare(func(tls.ConnectionState) error { return refuse }),
		IdleConnTimeout: 90 * time.Second,
	}, nil
}

func (c *Client) timeout() time.Duration {
	if c.Timeout > 0 {
		return c.Timeout
	}
	return 30 * time.Second
}

// Dial connects, asks the server over this very connection for what the policy needs, and judges it; nothing else was sent
// when it returns. The error of a server that was judged and refused is an *Error, with the result.
func (c *Client) Dial(ctx context.Context, network, address string) (*tls.Conn, *Result, error) {
	if !c.Policy.NamesInstance() {
		return nil, nil, ErrNobody
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout())
	defer cancel()
	for attempt := 1; ; attempt++ {
		conn, r, err := c.dialOnce(ctx, network, address)
		if !errors.Is(err, errSpent) || attempt == dialsMost {
			return conn, r, err
		}
	}
}

func (c *Client) dialOnce(ctx context.Context, network, address string) (*tls.Conn, *Result, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, nil, err
	}
	dial := (&net.Dialer{}).DialContext
	if c.Dialer != nil {
		dial = c.Dialer.DialContext
	}
	raw, err := dial(ctx, network, address)
	if err != nil {
		return nil, nil, err
	}
	config := bare(func(state tls.ConnectionState) error { return full(&state) })
	config.ServerName = host
	conn := tls.Client(raw, config)
	if err = conn.HandshakeContext(ctx); err == nil {
		var r *Result
		if r, err = c.judge(ctx, conn, address); err == nil {
			return conn, r, nil
		}
	}
	raw.Close()
	return nil, nil, err
}

// judge asks for what the policy needs, in the time that ctx has, and leaves the connection as it was.
func (c *Client) judge(ctx context.Context, conn *tls.Conn, authority string) (*Result, error) {
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	r, err := c.ask(ctx, &pages{conn: conn, authority: authority})
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("%w (%w)", err, ctx.Err())
	}
	return r, err
}

func (c *Client) ask(ctx context.Context, p *pages) (*Result, error) {
	state := p.conn.ConnectionState()
	e := &Evidence{Certificate: state.PeerCertificates[0].Raw, Live: true}
	var err error
	if e.Collateral, err = c.collateral(ctx, e.Certificate); err != nil {
		return nil, fmt.Errorf("collateral: %w", err)
	}
	leaf, err := parseCertificate(e.Certificate)
	isV2 := err == nil && leaf.isV2() // what version 1 says of generation and instance, only its manifest tells
	if c.Policy.NeedsManifest() || isV2 {
		if e.Manifest, err = p.get("/_enclave/manifest", documentMax); err != nil && !errors.Is(err, ErrNotFound) {
			return nil, fmt.Errorf("the manifest: %w", err)
		}
	}
	if c.Policy.requireFresh || isV2 {
		if e.Fresh, err = p.fresh(ctx, &state); err != nil && !errors.Is(err, ErrNotFound) {
			return nil, fmt.Errorf("fresh evidence: %w", err)
		}
	}
	r, err := c.conclude(e, p.get)
	if err != nil {
		return nil, err
	}
	if p.spent {
		return nil, errSpent
	}
	return r, nil
}

// conclude judges what was shown, with the log if the policy needs it, of which get asks for the pages. The error of a server that
// is refused is an *Error.
func (c *Client) conclude(e *Evidence, get Fetch) (*Result, error) {
	if c.Policy.NeedsLog() {
		fetch := func(path string, limit int) ([]byte, error) { return get("/_enclave/log/"+path, limit) }
		var err error
		if e.Log, err = OpenLog(fetch); err != nil && !errors.Is(err, ErrNotFound) {
			return nil, err
		}
	}
	r := Verify(c.Policy, e)
	if e.Log != nil && e.Log.NoAnswer() != nil {
		return nil, fmt.Errorf("the log: %w", e.Log.NoAnswer())
	}
	if !c.accepts(r) {
		return nil, &Error{r}
	}
	return r, nil
}

// pages asks for the server's own pages over a connection that stays the caller's. Who answers is not known yet, so all of it
// is bounded.
type pages struct {
	conn      *tls.Conn
	authority string
	spent     bool // the server takes no further request
}

func (p *pages) get(path string, limit int) ([]byte, error) {
	return p.exchange("GET "+path, nil, limit)
}

func (p *pages) exchange(line string, body []byte, limit int) ([]byte, error) {
	if p.spent {
		return nil, errSpent
	}
	var request bytes.Buffer
	fmt.Fprintf(&request, "%s HTTP/1.1\r\nHost: %s\r\nAccept: */*\r\n", line, p.authority)
	if body != nil {
		fmt.Fprintf(&request, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(body))
	}
	request.WriteString("\r\n")
	request.Write(body)
	p.spent = true // until its answer is whole
	if _, err := p.conn.Write(request.Bytes()); err != nil {
		return nil, err
	}
	in := bufio.NewReader(io.LimitReader(p.conn, int64(headMax+limit)))
	answer, err := http.ReadResponse(in, nil)
	if err != nil {
		return nil, fmt.Errorf("no whole answer: %w", err)
	}
	if answer.ContentLength < 0 || answer.ContentLength > int64(limit) {
		return nil, errors.New("its answer does not say how long it is, or is too long")
	}
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, fmt.Errorf("its answer is cut short: %w", err)
	}
	if in.Buffered() > 0 {
		return nil, errors.New("there is more behind its answer")
	}
	p.spent = answer.Close
	switch status := answer.StatusCode; {
	case status == http.StatusOK:
		return data, nil
	case status >= 500 || status == http.StatusRequestTimeout || status == http.StatusTooManyRequests:
		return nil, fmt.Errorf("it answers %d%w", status, errLater)
	default: // it does not show it: the check that needs it says so
		return nil, fmt.Errorf("it answers %d: %w", status, ErrNotFound)
	}
}

// fresh challenges the server (docs/protocol.md): what both ends of the connection know of it will be in the answer.
// A server that has others to answer first is asked once more each second, while ctx has time.
func (p *pages) fresh(ctx context.Context, state *tls.ConnectionState) (*Fresh, error) {
	f := &Fresh{Context: make([]byte, 32)}
	rand.Read(f.Context)
	leaf, err := parseCertificate(state.PeerCertificates[0].Raw)
	if err != nil {
		return nil, err
	}
	if f.Exported, err = state.ExportKeyingMaterial(exporterLabel, f.Context, 32); err != nil {
		return nil, err
	}
	digest := sha256.Sum256(leaf.spki)
	challenge := fmt.Sprintf(`{"v":2,"mode":"challenge","leaf":"%s","context":"%s"}`,
		base64.RawURLEncoding.EncodeToString(digest[:]), base64.RawURLEncoding.EncodeToString(f.Context))
	for {
		f.Answer, err = p.exchange("POST /__privasys/attest", []byte(challenge), freshMax)
		if !errors.Is(err, errLater) || p.spent {
			return f, err
		}
		select {
		case <-ctx.Done():
			return f, err
		case <-time.After(time.Second): // as its Retry-After says
		}
	}
}
