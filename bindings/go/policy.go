package verifier

import (
	"encoding/asn1"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Policy is what is expected of an enclave: a policy file, read. It is not changed once it is made, so that any number of
// goroutines may use it.
type Policy struct {
	mrenclaves                  [][]byte
	mrsigner, prodID            *string // in the words of reasons
	minSVN                      *uint16
	allowSimulation, allowDebug bool
	roots                       []*certificate // nil: Intel's
	requireCollateral           bool
	accepted                    []Status // beside UpToDate
	minEvaluation               uint64
	maxLifetime                 time.Duration // 0: any
	extensions                  []expectedExtension
	issuer                      *certificate
	instance                    []byte
	administrators              *administrators
	upgradeRule                 *upgradeRule
	predecessors                [][]byte
	minGeneration               uint64
	log                         logPolicy
	limits                      *string
	egressCA                    *string // hexadecimal, or "none"
	apps                        []expectedApp
	onlyApps                    bool

	requireFresh, anyInstance bool
}

type expectedExtension struct {
	oid   asn1.ObjectIdentifier
	value []byte
}

type administrators struct {
	threshold uint64
	list      []administrator
}

type logPolicy struct {
	key       *noteKey
	head      *head // that was seen
	witnesses []*noteKey
	quorum    int           // 0: all
	maxAge    time.Duration // 0: any
}

// expectedApp is what is expected of one app; what is nil is not.
type expectedApp struct {
	name       string
	sha256     *string
	publisher  *string
	minVersion uint64
	id         *string
	settings   *string // hexadecimal, or "none"
	egress     *string // "host:port" each, sorted, joined by commas
}

// RequireFresh makes a copy that is only content with a server that proves itself once more behind the handshake.
func (p *Policy) RequireFresh() *Policy {
	copy := *p
	copy.requireFresh = true
	return &copy
}

// AnyInstance makes a copy that is content with a server of which nothing says whose it is (the verdict stays Genuine).
func (p *Policy) AnyInstance() *Policy {
	copy := *p
	copy.anyInstance = true
	return &copy
}

// NamesInstance says whether it says whose enclave it is to be, so that a result can be Verified; or any will do.
func (p *Policy) NamesInstance() bool {
	whose := p.instance != nil || (p.administrators != nil && len(p.administrators.list) > 0)
	for _, e := range p.extensions {
		whose = whose || e.oid.Equal(oidMerkleRoot) || e.oid.Equal(oidInstance)
	}
	return p.anyInstance || p.issuer != nil || (whose && (p.mrenclaves != nil || p.mrsigner != nil))
}

// NeedsManifest says whether it expects something that only the server's manifest shows.
func (p *Policy) NeedsManifest() bool {
	return p.administrators != nil || p.upgradeRule != nil || p.limits != nil || p.egressCA != nil || p.onlyApps ||
		slices.ContainsFunc(p.apps, func(a expectedApp) bool {
			return a.sha256 != nil || a.publisher != nil || a.id != nil || a.settings != nil || a.egress != nil
		})
}

// NeedsLog says whether it expects something that only the server's log shows.
func (p *Policy) NeedsLog() bool { return p.log.head != nil || len(p.log.witnesses) > 0 }

func (p *Policy) accepts(s Status) bool {
	return s == UpToDate || (s.acceptable() && slices.Contains(p.accepted, s))
}

// demands says whether it says what must hold in the index'th record of a check.
func (p *Policy) demands(check string, index int) bool {
	var a expectedApp
	if index < len(p.apps) {
		a = p.apps[index]
	}
	switch check {
	case "collateral freshness":
		return p.minEvaluation > 0
	case "fresh evidence":
		return p.requireFresh
	case "mrenclave":
		return p.mrenclaves != nil
	case "mrsigner":
		return p.mrsigner != nil
	case "product id":
		return p.prodID != nil
	case "security version":
		return p.minSVN != nil
	case "manifest":
		return p.NeedsManifest()
	case "instance":
		return p.instance != nil
	case "generation":
		return p.minGeneration > 0
	case "log key":
		return p.log.key != nil
	case "log head", "log checkpoint":
		return p.NeedsLog()
	case "log history":
		return p.log.head != nil
	case "log witnesses":
		return len(p.log.witnesses) > 0
	case "administrators":
		return p.administrators != nil
	case "upgrade rule":
		return p.upgradeRule != nil
	case "lineage":
		return len(p.predecessors) > 0
	case "limits":
		return p.limits != nil
	case "egress ca":
		return p.egressCA != nil
	case "only apps":
		return p.onlyApps
	case "extension":
		return index < len(p.extensions)
	case "app":
		return a.sha256 != nil
	case "app publisher":
		return a.publisher != nil
	case "app identity":
		return a.id != nil
	case "app settings":
		return a.settings != nil
	case "app egress":
		return a.egress != nil
	}
	return false
}

// ---- where an app may connect -----------------------------------------------------------------------------------

// normalHost is one entry as leaves have it: lower case, with its port.
func normalHost(entry string) (string, bool) {
	entry = strings.Map(func(c rune) rune { // in ASCII alone
		if c >= 'A' && c <= 'Z' {
			return c + 'a' - 'A'
		}
		return c
	}, entry)
	host, port := entry, "443"
	if end := strings.IndexByte(entry, ']'); strings.HasPrefix(entry, "[") && end >= 0 {
		host, port = entry[:end+1], entry[end+1:]
		if port == "" {
			port = ":443"
		}
		if !strings.HasPrefix(port, ":") || len(host) == 2 || strings.Trim(host[1:end], "abcdef0123456789:.") != "" {
			return "", false
		}
		port = port[1:]
	} else {
		if at := strings.IndexByte(entry, ':'); at >= 0 {
			host, port = entry[:at], entry[at+1:]
		}
		if host == "" || strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-_.*") != "" {
			return "", false
		}
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || len(port) > 5 {
		return "", false
	}
	return fmt.Sprintf("%s:%d", host, n), true
}

// normalEgress is a list joined by commas in the form that leaves have: sorted, each once.
func normalEgress(list string) (string, bool) {
	if list == "" {
		return "", true
	}
	if len(list) > 8192 {
		return "", false
	}
	entries := strings.Split(list, ",")
	for i := range entries {
		var ok bool
		if entries[i], ok = normalHost(entries[i]); !ok {
			return "", false
		}
	}
	slices.Sort(entries)
	return strings.Join(slices.Compact(entries), ","), true
}
