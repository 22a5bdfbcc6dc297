package verifier

import (
	"bytes"
	"encoding/asn1"
	"errors"
)

// Intel's SGX extension of a PCK certificate, by the "Intel SGX PCK Certificate and CRL Profile Specification": a sequence
// of pairs {OID, value}, of which the TCB is such a sequence itself.

var (
	oidSGX    = asn1.ObjectIdentifier{1, 2, 840, 113741, 1, 13, 1}
	oidTCB    = append(oidSGX[:len(oidSGX):len(oidSGX)], 2)
	malformed = errors.New("its SGX extension is malformed")
)

type platform struct {
	fmspc, pceID []byte
	components   [16]byte
	pceSVN       uint16
}

// pairs reads a sequence of {OID, value} whose OIDs are under prefix: the values by the last arc, each of which is there
// once at most and from 1 to most.
func pairs(der []byte, prefix asn1.ObjectIdentifier, most int) (map[int]asn1.RawValue, error) {
	found := map[int]asn1.RawValue{}
	for len(der) > 0 {
		var sequence, v asn1.RawValue
		var oid asn1.ObjectIdentifier
		rest, err := asn1.Unmarshal(der, &sequence)
		if err != nil || !isSequence(&sequence) {
			return nil, malformed
		}
		der = rest
		if rest, err = asn1.Unmarshal(sequence.Bytes, &oid); err != nil {
			return nil, malformed
		}
		if rest, err = asn1.Unmarshal(rest, &v); err != nil || len(rest) > 0 {
			return nil, malformed
		}
		if len(oid) != len(prefix)+1 || !oid[:len(prefix)].Equal(prefix) {
			return nil, malformed
		}
		last := oid[len(prefix)]
		if _, twice := found[last]; twice || last < 1 || last > most {
			return nil, malformed
		}
		found[last] = v
	}
	return found, nil
}

func isSequence(v *asn1.RawValue) bool {
	return v.Class == asn1.ClassUniversal && v.Tag == asn1.TagSequence && v.IsCompound
}

func octets(v asn1.RawValue, size int) ([]byte, bool) {
	return v.Bytes, v.Class == asn1.ClassUniversal && v.Tag == asn1.TagOctetString && !v.IsCompound && len(v.Bytes) == size
}

func smallNumber(v asn1.RawValue, most int) (n int, ok bool) {
	rest, err := asn1.Unmarshal(v.FullBytes, &n)
	return n, err == nil && len(rest) == 0 && n >= 0 && n <= most
}

func readPlatform(pck *certificate) (*platform, error) {
	data, count := pck.extension(oidSGX)
	if count > 1 {
		return nil, errors.New("it has more than one SGX extension")
	} else if count == 0 {
		return nil, errors.New("it has no SGX extension")
	}
	var all asn1.RawValue
	if rest, err := asn1.Unmarshal(data, &all); err != nil || len(rest) > 0 || !isSequence(&all) {
		return nil, malformed
	}
	found, err := pairs(all.Bytes, oidSGX, 31)
	if err != nil {
		return nil, err
	}
	p := &platform{}
	var okID, okFMSPC bool
	p.pceID, okID = octets(found[3], 2)
	p.fmspc, okFMSPC = octets(found[4], 6)
	tcb := found[2]
	if !okID || !okFMSPC || !isSequence(&tcb) {
		return nil, malformed
	}
	return p, p.readTCB(tcb.Bytes)
}

func (p *platform) readTCB(der []byte) error {
	found, err := pairs(der, oidTCB, 18)
	if err != nil {
		return err
	}
	svn, ok := smallNumber(found[17], 0xffff)
	if _, whole := octets(found[18], 16); !ok || !whole || len(found) != 18 {
		return malformed
	}
	p.pceSVN = uint16(svn)
	for i := range p.components {
		n, ok := smallNumber(found[i+1], 0xff)
		if !ok {
			return malformed
		}
		p.components[i] = byte(n)
	}
	return nil
}

func (p *platform) meets(l *level) bool {
	for i := range p.components {
		if p.components[i] < l.components[i] {
			return false
		}
	}
	return p.pceSVN >= l.pceSVN
}

// compareLevels orders by the components, then by PCESVN.
func compareLevels(a, b *level) int {
	if order := bytes.Compare(a.components[:], b.components[:]); order != 0 {
		return order
	}
	return int(a.pceSVN) - int(b.pceSVN)
}
