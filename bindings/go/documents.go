package verifier

import (
	"errors"
	"regexp"
	"time"
)

// TCB info version 3 and QE identity version 2 (Intel PCS API version 4), read.

// Status is a TCB's, in Intel's words.
type Status string

const (
	UpToDate                          Status = "UpToDate"
	SWHardeningNeeded                 Status = "SWHardeningNeeded"
	ConfigurationNeeded               Status = "ConfigurationNeeded"
	ConfigurationAndSWHardeningNeeded Status = "ConfigurationAndSWHardeningNeeded"
	OutOfDate                         Status = "OutOfDate"
	OutOfDateConfigurationNeeded      Status = "OutOfDateConfigurationNeeded"
	Revoked                           Status = "Revoked"
)

func (s Status) known() bool { return s == Revoked || s.acceptable() }

// acceptable says whether a policy may accept it.
func (s Status) acceptable() bool {
	switch s {
	case UpToDate, SWHardeningNeeded, ConfigurationNeeded, ConfigurationAndSWHardeningNeeded, OutOfDate, OutOfDateConfigurationNeeded:
		return true
	}
	return false
}

// document is {"NAME":{...},"signature":"..."}: what both kinds have in common.
type document struct {
	inner              *value // whose bytes as served are what is signed
	signature          []byte
	issued, nextUpdate time.Time
	evaluation         uint64
	levels             []level
}

type level struct {
	components [16]byte // of TCB info
	pceSVN     uint16   // of TCB info
	isvSVN     uint16   // of QE identity
	status     Status
	date       time.Time
	advisories []string
}

type tcbInfo struct {
	document
	fmspc, pceID []byte
}

type qeIdentity struct {
	document
	miscselect, miscselectMask, attributes, attributesMask, mrsigner []byte
	prodID                                                           uint16
}

var timeForm = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$`)

func readTime(v *value) (time.Time, bool) {
	text, ok := v.text()
	if !ok || !timeForm.MatchString(text) {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339, text)
	return t, err == nil && t.Unix() >= 0
}

func openDocument(text []byte, name string) (*document, []*value, error) {
	j, err := parseJSON(text)
	if err != nil {
		return nil, nil, err
	}
	d := &document{inner: j.member(name, jsonObject)}
	signature, signed := j.member("signature", jsonString).bytes(64)
	if d.inner == nil || !signed {
		return nil, nil, errors.New("not an object with its kind's name and a signature")
	}
	d.signature = signature
	var okIssued, okNext, okNumber bool
	d.issued, okIssued = readTime(d.inner.any("issueDate"))
	d.nextUpdate, okNext = readTime(d.inner.any("nextUpdate"))
	if !okIssued || !okNext {
		return nil, nil, errors.New("its issueDate or nextUpdate is malformed")
	}
	if d.evaluation, okNumber = d.inner.any("tcbEvaluationDataNumber").number(1<<32 - 1); !okNumber {
		return nil, nil, errors.New("its tcbEvaluationDataNumber is malformed")
	}
	levels := d.inner.member("tcbLevels", jsonArray)
	if levels == nil || len(levels.items) == 0 || len(levels.items) > 256 {
		return nil, nil, errors.New("it has no tcbLevels, or too many")
	}
	return d, levels.items, nil
}

// readLevel reads what levels of both kinds have.
func readLevel(v *value) (level, bool) {
	var l level
	status, _ := v.any("tcbStatus").text()
	l.status = Status(status)
	var ok bool
	if l.date, ok = readTime(v.any("tcbDate")); !ok || !l.status.known() {
		return l, false
	}
	if list := v.member("advisoryIDs", jsonArray); list != nil {
		if len(list.items) > 64 {
			return l, false
		}
		for _, item := range list.items {
			text, ok := item.text()
			if !ok || len(text) >= 32 {
				return l, false
			}
			l.advisories = append(l.advisories, text)
		}
	}
	return l, true
}

func readPlatformLevel(v *value) (level, bool) {
	l, ok := readLevel(v)
	tcb := v.member("tcb", jsonObject)
	components := tcb.member("sgxtcbcomponents", jsonArray)
	svn, okSVN := tcb.any("pcesvn").number(0xffff)
	if !ok || !okSVN || components == nil || len(components.items) != 16 {
		return l, false
	}
	l.pceSVN = uint16(svn)
	for i, item := range components.items {
		n, ok := item.any("svn").number(0xff)
		if !ok {
			return l, false
		}
		l.components[i] = byte(n)
	}
	return l, true
}

// readQuotingLevel: a quoting enclave is not hardened by its software.
func readQuotingLevel(v *value) (level, bool) {
	l, ok := readLevel(v)
	svn, okSVN := v.member("tcb", jsonObject).any("isvsvn").number(0xffff)
	l.isvSVN = uint16(svn)
	return l, ok && okSVN && l.status != SWHardeningNeeded && l.status != ConfigurationAndSWHardeningNeeded
}

func (d *document) readLevels(items []*value, read func(*value) (level, bool)) error {
	for _, item := range items {
		l, ok := read(item)
		if !ok {
			return errors.New("one of its tcbLevels is malformed")
		}
		d.levels = append(d.levels, l)
	}
	return nil
}

// is says whether it is of this id and version.
func (d *document) is(id string, version uint64) bool {
	text, _ := d.inner.any("id").text()
	n, ok := d.inner.any("version").number(version)
	return ok && n == version && text == id
}

func readTCBInfo(text []byte) (*tcbInfo, error) {
	d, levels, err := openDocument(text, "tcbInfo")
	if err != nil {
		return nil, err
	}
	if !d.is("SGX", 3) {
		return nil, errors.New("not TCB info version 3 of SGX")
	}
	if _, ok := d.inner.any("tcbType").number(0); !ok {
		return nil, errors.New("of an unknown tcbType")
	}
	t := &tcbInfo{}
	var okFMSPC, okID bool
	t.fmspc, okFMSPC = d.inner.any("fmspc").bytes(6)
	t.pceID, okID = d.inner.any("pceId").bytes(2)
	if !okFMSPC || !okID {
		return nil, errors.New("its fmspc or pceId is malformed")
	}
	err = d.readLevels(levels, readPlatformLevel)
	t.document = *d
	return t, err
}

func readQEIdentity(text []byte) (*qeIdentity, error) {
	d, levels, err := openDocument(text, "enclaveIdentity")
	if err != nil {
		return nil, err
	}
	if !d.is("QE", 2) {
		return nil, errors.New("not the identity, version 2, of SGX's quoting enclave")
	}
	q := &qeIdentity{}
	for _, f := range []struct {
		name string
		size int
		out  *[]byte
	}{{"miscselect", 4, &q.miscselect}, {"miscselectMask", 4, &q.miscselectMask}, {"attributes", 16, &q.attributes},
		{"attributesMask", 16, &q.attributesMask}, {"mrsigner", 32, &q.mrsigner}} {
		data, ok := d.inner.any(f.name).bytes(f.size)
		if !ok {
			return nil, errors.New("one of its fields is malformed")
		}
		*f.out = data
	}
	prodID, ok := d.inner.any("isvprodid").number(0xffff)
	if !ok {
		return nil, errors.New("one of its fields is malformed")
	}
	q.prodID = uint16(prodID)
	err = d.readLevels(levels, readQuotingLevel)
	q.document = *d
	return q, err
}
