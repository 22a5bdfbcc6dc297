// A reader of the enclave's history that shares nothing with it but the formats: Go's own transparency logs
// (golang.org/x/mod/sumdb/note and tlog) over what a running server gives out.
//
//	checker [-flip N] URL [STATE]
//
// Verifies, or exits with 1 and a line on stderr:
//   - the checkpoint's signature, by the key that the certificate names;
//   - every tile and every entry by the checkpoint's root, and that each entry is in the tree by a proof of its own;
//   - that the log begins with the one of the certificate, with those of STATE (one "SIZE ROOT" a line), and with each of
//     its own beginnings.
//
// Prints each entry as "INDEX KIND GENERATION WHAT", and adds the head to STATE. With -flip, one bit of the Nth answer's
// body is changed on its way: then it must not succeed. "responses N" is the last line.
package main

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const oids = "1.3.6.1.4.1.65230.4."

type server struct {
	url       string
	client    *http.Client
	flip      int
	responses int
	extension map[string][]byte // of its certificate, by what stands behind oids
}

type entry struct {
	Format     string `json:"format"`
	Index      int64  `json:"index"`
	Kind       string `json:"kind"`
	What       string `json:"what"`
	Generation int64  `json:"generation"`
	Root       string `json:"manifest_root"`
	Nonce      string `json:"nonce"`
}

func fail(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, "checker: "+format+"\n", arguments...)
	os.Exit(1)
}

func check(err error) {
	if err != nil {
		fail("%v", err)
	}
}

func (s *server) get(path string) ([]byte, error) {
	answer, err := s.client.Get(s.url + "/_enclave/log/" + path)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != 200 {
		err = fmt.Errorf("%s: %s: %s", path, answer.Status, body)
	}
	s.responses++
	if s.responses == s.flip && len(body) > 0 {
		body[len(body)/2] ^= 4
	}
	for _, e := range answer.TLS.PeerCertificates[0].Extensions {
		if name, found := strings.CutPrefix(e.Id.String(), oids); found {
			s.extension[name] = e.Value
		}
	}
	return body, err
}

// tlog's tiles have their height in the path, tlog-tiles' have not.
func (s *server) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, t := range tiles {
		data, err := s.get(strings.Replace(t.Path(), "tile/8/", "tile/", 1))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}
func (s *server) Height() int                     { return 8 }
func (s *server) SaveTiles([]tlog.Tile, [][]byte) {}

func (s *server) checkpoint() tlog.Tree {
	text, err := s.get("checkpoint")
	check(err)
	name := "enclave-os/" + hex.EncodeToString(s.extension["2"])
	vkey, err := note.NewEd25519VerifierKey(name, s.extension["4"])
	check(err)
	verifier, err := note.NewVerifier(vkey)
	check(err)
	signed, err := note.Open(text, note.VerifierList(verifier))
	check(err)
	lines := strings.Split(signed.Text, "\n")
	if len(lines) != 4 || lines[0] != name {
		fail("a checkpoint of another log: %q", signed.Text)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	root, err := base64.StdEncoding.DecodeString(lines[2])
	check(err)
	tree := tlog.Tree{N: size}
	if copy(tree.Hash[:], root) != len(tree.Hash) || len(root) != len(tree.Hash) {
		fail("a root of %d bytes", len(root))
	}
	return tree
}

// The entries under one tile of hashes.
func (s *server) bundle(tree tlog.Tree, index int64) [][]byte {
	tile := tlog.Tile{H: 8, L: 0, N: index, W: int(min(256, tree.N-index*256))}
	path := strings.Replace(tile.Path(), "tile/8/0/", "tile/entries/", 1)
	data, err := s.get(path)
	check(err)
	var entries [][]byte
	for len(data) > 0 {
		if len(data) < 2 || len(data)-2 < int(binary.BigEndian.Uint16(data)) {
			fail("%s: an entry is cut off", path)
		}
		size := int(binary.BigEndian.Uint16(data))
		entries = append(entries, data[2:2+size])
		data = data[2+size:]
	}
	if len(entries) != tile.W {
		fail("%s has %d entries", path, len(entries))
	}
	return entries
}

func (s *server) entries(tree tlog.Tree, hashes tlog.HashReader) {
	nonces := map[string]bool{}
	for i := int64(0); i < tree.N; i += 256 {
		for j, text := range s.bundle(tree, i/256) {
			at := i + int64(j)
			proof, err := tlog.ProveRecord(tree.N, at, hashes)
			check(err)
			if err := tlog.CheckRecord(proof, tree.N, tree.Hash, at, tlog.RecordHash(text)); err != nil {
				fail("entry %d is not in the tree: %v", at, err)
			}
			show(at, text, nonces)
		}
	}
}

func show(index int64, text []byte, nonces map[string]bool) {
	var e entry
	decoder := json.NewDecoder(bytes.NewReader(text))
	check(decoder.Decode(&e))
	if e.Format != "enclave-os-entry/1" || e.Index != index || len(e.Root) != 64 || (index == 0) != (e.Kind == "begin") {
		fail("entry %d is %s", index, text)
	}
	if e.Kind == "begin" || e.Kind == "boot" {
		if len(e.Nonce) != 64 || nonces[e.Nonce] {
			fail("entry %d has no nonce of its own", index)
		}
		nonces[e.Nonce] = true
	}
	fmt.Println(index, e.Kind, e.Generation, e.What)
}

// That the log of size entries with this root is how this one began.
func begins(tree tlog.Tree, hashes tlog.HashReader, size int64, root tlog.Hash, whose string) {
	if size > tree.N {
		fail("%s is of %d entries, and the log has %d", whose, size, tree.N)
	}
	proof, err := tlog.ProveTree(tree.N, size, hashes)
	check(err)
	if err := tlog.CheckTree(proof, tree.N, tree.Hash, size, root); err != nil {
		fail("the log did not begin with %s, of %d entries: %v", whose, size, err)
	}
}

func main() {
	flip := flag.Int("flip", 0, "the answer, from 1 on, of which a bit is changed")
	flag.Parse()
	if flag.NArg() < 1 || flag.NArg() > 2 {
		fail("checker [-flip N] URL [STATE]")
	}
	// What it believes is signed by the log's key; whose that key is, other tests ask.
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	s := &server{url: flag.Arg(0), client: &http.Client{Transport: transport}, flip: *flip, extension: map[string][]byte{}}
	tree := s.checkpoint()
	hashes := tlog.TileHashReader(tree, s)
	s.entries(tree, hashes)
	head := s.extension["3"]
	if len(head) != 40 {
		fail("the certificate has no head")
	}
	begins(tree, hashes, int64(binary.BigEndian.Uint64(head)), tlog.Hash(head[8:]), "the certificate's log")
	for size := int64(1); size <= tree.N; size += 1 + size/16 {
		root, err := tlog.TreeHash(size, hashes)
		check(err)
		begins(tree, hashes, size, root, "its own beginning")
	}
	if flag.NArg() == 2 {
		remember(flag.Arg(1), tree, hashes)
	}
	fmt.Println("responses", s.responses)
}

func remember(file string, tree tlog.Tree, hashes tlog.HashReader) {
	known, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		check(err)
	}
	lines := strings.Fields(string(known))
	for pair := range slices.Chunk(lines, 2) {
		size, err := strconv.ParseInt(pair[0], 10, 64)
		check(err)
		root, err := tlog.ParseHash(pair[1])
		check(err)
		begins(tree, hashes, size, root, "what was seen before")
	}
	check(os.WriteFile(file, fmt.Appendf(known, "%d %s\n", tree.N, tree.Hash), 0o666))
}
