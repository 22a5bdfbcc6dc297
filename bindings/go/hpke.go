package verifier

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// Oblivious HTTP's encapsulation (RFC 9458) for a client, over HPKE's base mode (RFC 9180) with these algorithms.
const (
	kemX25519 = 0x0020
	kdfSHA256 = 0x0001
	aeadAES   = 0x0001
	aesKey    = 16
	aesNonce  = 12
)

// sealedKey is a key configuration of an enclave's.
type sealedKey struct {
	id  byte
	key *ecdh.PublicKey
}

// readKeyList takes the first configuration for these algorithms out of a list (application/ohttp-keys).
func readKeyList(list []byte) (*sealedKey, error) {
	for len(list) >= 2 {
		size := int(binary.BigEndian.Uint16(list))
		if size < 3 || size > len(list)-2 {
			return nil, errors.New("a key configuration that is cut short")
		}
		one := list[2 : 2+size]
		list = list[2+size:]
		if binary.BigEndian.Uint16(one[1:]) != kemX25519 {
			continue
		}
		if len(one) < 3+32+2 || int(binary.BigEndian.Uint16(one[35:])) != len(one)-37 || (len(one)-37)%4 != 0 {
			return nil, errors.New("a key configuration whose algorithms are malformed")
		}
		for ciphers := one[37:]; len(ciphers) > 0; ciphers = ciphers[4:] {
			if binary.BigEndian.Uint16(ciphers) == kdfSHA256 && binary.BigEndian.Uint16(ciphers[2:]) == aeadAES {
				key, err := ecdh.X25519().NewPublicKey(one[3:35])
				return &sealedKey{one[0], key}, err
			}
		}
	}
	return nil, errors.New("no key configuration for X25519, HKDF-SHA256 and AES-128-GCM")
}

// labelled is the KDF of one of HPKE's suites, the KEM's or the whole one's.
type labelled struct{ suite []byte }

func (l labelled) extract(salt []byte, label string, secret []byte) []byte {
	out, err := hkdf.Extract(sha256.New, slices.Concat([]byte("HPKE-v1"), l.suite, []byte(label), secret), salt)
	must(err)
	return out
}

func (l labelled) expand(secret []byte, label string, info []byte, size int) []byte {
	labelled := slices.Concat(binary.BigEndian.AppendUint16(nil, uint16(size)), []byte("HPKE-v1"), l.suite, []byte(label), info)
	out, err := hkdf.Expand(sha256.New, secret, string(labelled), size)
	must(err)
	return out
}

// must is for what fails only where sizes are wrong that are written down here.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// hpke is what follows from the secret that both ends have.
type hpke struct{ key, nonce, exporter []byte }

func schedule(shared, info []byte) *hpke {
	l := labelled{[]byte{'H', 'P', 'K', 'E', kemX25519 >> 8, kemX25519, 0, kdfSHA256, 0, aeadAES}}
	context := slices.Concat([]byte{0}, l.extract(nil, "psk_id_hash", nil), l.extract(nil, "info_hash", info))
	secret := l.extract(shared, "secret", nil)
	return &hpke{l.expand(secret, "key", context, aesKey), l.expand(secret, "base_nonce", context, aesNonce),
		l.expand(secret, "exp", context, sha256.Size)}
}

func (h *hpke) export(label string, size int) []byte {
	l := labelled{[]byte{'H', 'P', 'K', 'E', kemX25519 >> 8, kemX25519, 0, kdfSHA256, 0, aeadAES}}
	return l.expand(h.exporter, "sec", []byte(label), size)
}

// share is the KEM's: own is of the sender, enc its public part.
func share(own *ecdh.PrivateKey, to *ecdh.PublicKey) (shared []byte, err error) {
	l := labelled{[]byte{'K', 'E', 'M', kemX25519 >> 8, kemX25519}}
	dh, err := own.ECDH(to)
	if err != nil {
		return nil, err // a point of small order
	}
	context := slices.Concat(own.PublicKey().Bytes(), to.Bytes())
	return l.expand(l.extract(nil, "eae_prk", dh), "shared_secret", context, sha256.Size), nil
}

func gcm(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	must(err)
	aead, err := cipher.NewGCM(block)
	must(err)
	return aead
}

// sealedRequest is a request as it goes, and what opens the answer to it.
type sealedRequest struct {
	message []byte
	enc     []byte
	secret  []byte
}

// seal encrypts plain to the key. own is a new key for each.
func (k *sealedKey) seal(own *ecdh.PrivateKey, plain []byte) (*sealedRequest, error) {
	shared, err := share(own, k.key)
	if err != nil {
		return nil, fmt.Errorf("nothing can be encrypted to its key: %w", err)
	}
	header := []byte{k.id, kemX25519 >> 8, kemX25519, 0, kdfSHA256, 0, aeadAES}
	h := schedule(shared, slices.Concat([]byte("message/bhttp request\x00"), header))
	enc := own.PublicKey().Bytes()
	return &sealedRequest{gcm(h.key).Seal(slices.Concat(header, enc), h.nonce, plain, nil), enc, h.export("message/bhttp response", aesKey)}, nil
}

var errNotSealed = errors.New("what came is not the enclave's answer to this request")

// open decrypts the answer to the request.
func (s *sealedRequest) open(answer []byte) ([]byte, error) {
	if len(answer) < aesKey {
		return nil, errNotSealed
	}
	nonce, sealed := answer[:aesKey], answer[aesKey:]
	prk, err := hkdf.Extract(sha256.New, s.secret, slices.Concat(s.enc, nonce))
	must(err)
	key, err := hkdf.Expand(sha256.New, prk, "key", aesKey)
	must(err)
	iv, err := hkdf.Expand(sha256.New, prk, "nonce", aesNonce)
	must(err)
	plain, err := gcm(key).Open(nil, iv, sealed, nil)
	if err != nil {
		return nil, errNotSealed
	}
	return plain, nil
}
