// A log of a few lines that asks a witness for cosignatures, from the libraries that Go's own logs are made of: it shows
// that the witness which the tests start works, and what its answers look like.
//
//	asker key FILE ORIGIN                        makes its key; prints the verifier key
//	asker ask FILE WITNESS-URL VKEY OLD NEW      asks for a checkpoint of NEW entries, from OLD; prints the status and,
//	                                             where the answer is a cosignature by VKEY that holds, "cosigned"
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func makeKey(file, origin string) {
	private, public, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(private), 0o600); err != nil {
		log.Fatal(err)
	}
	fmt.Println(public)
}

// The hashes of a log whose entry N is the text N.
func hashes(size int64) tlog.HashReaderFunc {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var list []tlog.Hash
		for _, index := range indexes {
			list = append(list, stored[index])
		}
		return list, nil
	})
	for i := int64(0); i < size; i++ {
		more := must(tlog.StoredHashes(i, []byte(strconv.FormatInt(i, 10)), reader))
		stored = append(stored, more...)
	}
	return reader
}

// Whether the answer is a line of this witness over the text.
func isCosigned(text string, answer []byte, vkey string) bool {
	name, rest, _ := strings.Cut(vkey, "+")
	_, key64, _ := strings.Cut(rest, "+")
	key := must(base64.StdEncoding.DecodeString(key64))
	line, ok := strings.CutPrefix(strings.TrimSuffix(string(answer), "\n"), "— "+name+" ")
	if !ok || key[0] != 4 {
		return false
	}
	signature := must(base64.StdEncoding.DecodeString(line))
	if len(signature) != 4+8+ed25519.SignatureSize {
		return false
	}
	message := fmt.Sprintf("cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(signature[4:]), text)
	return ed25519.Verify(key[1:], []byte(message), signature[12:])
}

func ask(file, url, vkey string, old, size int64) {
	signer := must(note.NewSigner(string(must(os.ReadFile(file)))))
	reader := hashes(size)
	root := must(tlog.TreeHash(size, reader))
	text := fmt.Sprintf("%s\n%d\n%s\n", signer.Name(), size, root)
	body := fmt.Sprintf("old %d\n", old)
	if old > 0 && old < size {
		for _, hash := range must(tlog.ProveTree(size, old, reader)) {
			body += hash.String() + "\n"
		}
	}
	body += "\n" + string(must(note.Sign(&note.Note{Text: text}, signer)))
	response := must(http.Post(url+"/add-checkpoint", "text/plain", bytes.NewReader([]byte(body))))
	answer := must(io.ReadAll(response.Body))
	fmt.Println(response.StatusCode)
	switch {
	case response.StatusCode != http.StatusOK:
		fmt.Print(string(answer))
	case isCosigned(text, answer, vkey):
		fmt.Println("cosigned")
	}
}

func main() {
	switch {
	case len(os.Args) == 4 && os.Args[1] == "key":
		makeKey(os.Args[2], os.Args[3])
	case len(os.Args) == 7 && os.Args[1] == "ask":
		ask(os.Args[2], os.Args[3], os.Args[4], must(strconv.ParseInt(os.Args[5], 10, 64)),
			must(strconv.ParseInt(os.Args[6], 10, 64)))
	default:
		log.Fatal("usage: asker key FILE ORIGIN | asker ask FILE WITNESS-URL VKEY OLD NEW")
	}
}
