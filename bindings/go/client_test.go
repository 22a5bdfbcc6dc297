package verifier

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// stranger is a certificate that anybody can make: with a P-256 key, and without a quote.
func stranger(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Enclave OS CA"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// serve answers each connection by a function, until the test ends; its address, and how many bytes came over TLS.
func serve(t *testing.T, config *tls.Config, answer func(*tls.Conn)) (string, *atomic.Int64) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	var received atomic.Int64
	go func() {
		for {
			raw, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer raw.Close()
				conn := tls.Server(raw, config)
				if conn.Handshake() != nil {
					return
				}
				if answer != nil {
					answer(conn)
				}
				n, _ := io.Copy(io.Discard, conn)
				received.Add(n)
			}()
		}
	}()
	return listener.Addr().String(), &received
}

func policyOf(t *testing.T, text string) *Policy {
	t.Helper()
	p, err := ParsePolicy([]byte(`{"format":"enclave-os-policy/1"` + text + `}`))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var (
	zeros  = strings.Repeat("00", 32)
	pinned = `,"mrenclave":["` + zeros + `"],"instance":"` + zeros + `","allow_simulation":true`
)

func TestStrangerIsRefused(t *testing.T) {
	address, received := serve(t, &tls.Config{Certificates: []tls.Certificate{stranger(t)}}, nil)
	c := &Client{Policy: policyOf(t, pinned)}
	var refused *Error
	if _, _, err := c.Dial(context.Background(), "tcp", address); !errors.As(err, &refused) || !refused.Result.failed("quote") {
		t.Errorf("Dial: %v", err)
	}
	config, err := c.TLSConfig()
	if err != nil {
		t.Fatal(err)
	}
	if _, err = tls.Dial("tcp", address, config); !errors.As(err, &refused) {
		t.Errorf("TLSConfig: %v", err)
	}
	transport, err := c.Transport()
	if err != nil {
		t.Fatal(err)
	}
	_, err = (&http.Client{Transport: transport}).Post("https://"+address+"/", "text/plain", strings.NewReader("secret"))
	if !errors.As(err, &refused) {
		t.Errorf("Transport: %v", err)
	}
	if _, err = (&http.Client{Transport: transport}).Get("http://" + address + "/"); err == nil || errors.As(err, &refused) {
		t.Errorf("plain HTTP: %v", err)
	}
	if received.Load() != 0 {
		t.Errorf("%d bytes were sent to a stranger", received.Load())
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	address, _ := serve(t, &tls.Config{Certificates: []tls.Certificate{stranger(t)}, MaxVersion: tls.VersionTLS12}, nil)
	if _, _, err := (&Client{Policy: policyOf(t, pinned)}).Dial(context.Background(), "tcp", address); err == nil {
		t.Error("TLS 1.2 is taken")
	}
}

// What a policy cannot come to is said before anything is connected.
func TestPolicyThatNamesNobody(t *testing.T) {
	for _, text := range []string{"", `,"mrsigner":"` + zeros + `"`, `,"instance":"` + zeros + `"`,
		`,"mrenclave":["` + zeros + `"],"administrators":{"threshold":0,"keys":[]}`} {
		c := &Client{Policy: policyOf(t, text)}
		if _, err := c.TLSConfig(); !errors.Is(err, ErrNobody) {
			t.Errorf("%s: %v", text, err)
		}
		if _, err := c.Transport(); !errors.Is(err, ErrNobody) {
			t.Errorf("%s: %v", text, err)
		}
		if _, _, err := c.Dial(context.Background(), "tcp", "127.0.0.1:1"); !errors.Is(err, ErrNobody) {
			t.Errorf("%s: %v", text, err)
		}
		if !c.Policy.AnyInstance().NamesInstance() {
			t.Errorf("%s: AnyInstance does not overrule", text)
		}
	}
	for _, text := range []string{pinned + `,"only_apps":true`, pinned + `,"log":{"witnesses":["w.example/1+` + witness(t) + `"]}`} {
		if _, err := (&Client{Policy: policyOf(t, text)}).TLSConfig(); !errors.Is(err, ErrNeedsMore) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := (&Client{Policy: policyOf(t, pinned).RequireFresh()}).TLSConfig(); !errors.Is(err, ErrNeedsMore) {
		t.Error(err)
	}
}

func witness(t *testing.T) string {
	t.Helper()
	k, err := newNoteKey("w.example/1", noteCosignature, make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(k.String(), "w.example/1+")
}

// An answer of a page is taken whole, or not at all, and its end is where it says.
func TestPages(t *testing.T) {
	long := strings.Repeat("x", 2000)
	for _, c := range []struct {
		answer, body, problem string
		spent                 bool
	}{
		{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok", "", false},
		{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", "ok", "", true},
		{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", "", false},
		{"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "", "it answers 404: " + ErrNotFound.Error(), false},
		{"HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n", "", "it answers 409: " + ErrNotFound.Error(), false},
		{"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "", "it answers 503", false},
		{"HTTP/1.1 200 OK\r\n\r\nok", "", "does not say how long", true},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "", "does not say how long", true},
		{"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + long, "", "too long", true},
		{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n", "", "more behind", true},
		{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", "", "cut short", true},
		{"nonsense\r\n\r\n", "", "no whole answer", true},
		{"", "", "no whole answer", true},
		{"HTTP/1.1 200 OK\r\nX: " + strings.Repeat(long, 40) + "\r\nContent-Length: 2\r\n\r\nok", "", "no whole answer", true},
	} {
		address, _ := serve(t, &tls.Config{Certificates: []tls.Certificate{stranger(t)}}, func(conn *tls.Conn) {
			http.ReadRequest(bufio.NewReader(conn))
			io.WriteString(conn, c.answer)
			conn.CloseWrite()
		})
		conn, err := tls.Dial("tcp", address, bare(nil))
		if err != nil {
			t.Fatal(err)
		}
		p := &pages{conn: conn, authority: address}
		body, err := p.get("/page", 1000)
		if string(body) != c.body || (err == nil) != (c.problem == "") || (err != nil && !strings.Contains(err.Error(), c.problem)) {
			t.Errorf("%.60q: %q, %v", c.answer, body, err)
		}
		if p.spent != c.spent {
			t.Errorf("%.60q: spent %v", c.answer, p.spent)
		}
		conn.Close()
	}
}

// One who accepts and never answers holds nobody up for ever.
func TestSilentServer(t *testing.T) {
	address, _ := serve(t, &tls.Config{Certificates: []tls.Certificate{stranger(t)}}, func(conn *tls.Conn) { io.Copy(io.Discard, conn) })
	c := &Client{Policy: policyOf(t, pinned+`,"only_apps":true`), Timeout: 50 * time.Millisecond}
	var refused *Error
	if _, _, err := c.Dial(context.Background(), "tcp", address); !errors.Is(err, context.DeadlineExceeded) || errors.As(err, &refused) {
		t.Error(err)
	}
}

func TestCollateralFetch(t *testing.T) {
	v := loadVector(t, vectorFolder+"/good-certificate.json")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	redirected := false
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		escape := func(name string) string {
			return strings.ReplaceAll(strings.ReplaceAll(string(v.Collateral[name]), "\n", "%0A"), " ", "%20")
		}
		switch r.URL.RequestURI() {
		case apiPath + "/pckcrl?ca=platform&encoding=der":
			w.Write(v.Collateral["pck.crl"])
		case apiPath + "/tcb?fmspc=000102030405":
			w.Header().Set("SGX-TCB-Info-Issuer-Chain", escape("tcb-info-chain.pem"))
			w.Write(v.Collateral["tcb-info.json"])
		case apiPath + "/qe/identity":
			w.Header().Set("SGX-Enclave-Identity-Issuer-Chain", escape("qe-identity-chain.pem"))
			w.Write(v.Collateral["qe-identity.json"])
		case apiPath + "/rootcacrl":
			fmt.Fprintf(w, "%x\n", v.Collateral["root.crl"])
		case "/elsewhere" + apiPath + "/pckcrl?ca=platform&encoding=der":
			http.Redirect(w, r, "/followed", http.StatusFound)
		case "/followed":
			redirected = true
		default:
			http.NotFound(w, r)
		}
	})}
	go server.Serve(listener)
	defer server.Close()
	base := "http://" + listener.Addr().String()
	policy, _ := ParsePolicy(v.Policy)
	for _, address := range []string{base, base + "/", base + apiPath} {
		c, err := FetchCollateral(context.Background(), address, v.Certificate)
		if err != nil {
			t.Fatal(err)
		}
		if r := Verify(policy, &Evidence{Certificate: v.Certificate, Collateral: c, Live: true, Time: v.Now}); r.Verdict != Verified {
			t.Error(r.Failures())
		}
	}
	if _, err := FetchCollateral(context.Background(), base+"/elsewhere", v.Certificate); err == nil || redirected {
		t.Error("a redirection is followed")
	}
	if _, err := FetchCollateral(context.Background(), base+"/nothing", v.Certificate); err == nil {
		t.Error("no collateral is some")
	}
}

// ---- against a live server, which tests/e2e/golang.sh starts ---------------------------------------------------

func live(t *testing.T) (address string, policy *Policy) {
	t.Helper()
	address = os.Getenv("ENCLAVE_ADDRESS")
	if address == "" {
		t.Skip("tests/e2e/golang.sh runs it")
	}
	policy, err := LoadPolicy(os.Getenv("ENCLAVE_POLICY"))
	if err != nil {
		t.Fatal(err)
	}
	return address, policy
}

// What the enclave shows is its own: with its certificate, but not its key, nobody gets as far as being judged; with a key of
// his own, and all that the enclave answers, he is refused; and who only passes bytes on sees nothing.
func TestLiveRelays(t *testing.T) {
	address, policy := live(t)
	c := &Client{Policy: policy.RequireFresh()}
	conn, r, err := c.Dial(context.Background(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	if r.Verdict != Verified || !r.passed("fresh evidence") || !r.passed("manifest") || !r.passed("log checkpoint") {
		t.Errorf("%s: %v", r.Verdict, r.Checks)
	}
	genuine := conn.ConnectionState().PeerCertificates[0].Raw
	conn.Close()
	relay := func(client *tls.Conn) {
		server, err := tls.Dial("tcp", address, bare(nil))
		if err != nil {
			return
		}
		go io.Copy(server, client)
		io.Copy(client, server)
	}
	own := stranger(t)
	var refused *Error
	other, _ := serve(t, &tls.Config{Certificates: []tls.Certificate{own}}, relay)
	if _, _, err := c.Dial(context.Background(), "tcp", other); !errors.As(err, &refused) {
		t.Errorf("a relay with a certificate of its own: %v", err)
	}
	own.Certificate[0] = genuine
	other, received := serve(t, &tls.Config{Certificates: []tls.Certificate{own}}, relay)
	if _, _, err := c.Dial(context.Background(), "tcp", other); err == nil || errors.As(err, &refused) || received.Load() != 0 {
		t.Errorf("a relay with the enclave's certificate: %v", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		raw, _ := listener.Accept()
		server, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		go io.Copy(server, raw)
		io.Copy(raw, server)
	}()
	if _, _, err = c.Dial(context.Background(), "tcp", listener.Addr().String()); err != nil {
		t.Errorf("one who passes bytes on: %v", err)
	}
}

// The certificate alone, by a configuration for any protocol.
func TestLiveTLSConfig(t *testing.T) {
	address, policy := live(t)
	who := *policy
	who.administrators, who.upgradeRule, who.limits, who.egressCA, who.apps, who.onlyApps = nil, nil, nil, nil, nil, false
	who.log.head = nil
	config, err := (&Client{Policy: &who}).TLSConfig()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := tls.Dial("tcp", address, config)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	who.mrenclaves = [][]byte{make([]byte, 32)}
	var refused *Error
	if _, err = tls.Dial("tcp", address, config); !errors.As(err, &refused) || !refused.Result.failed("mrenclave") {
		t.Errorf("another measurement: %v", err)
	}
}
