package balancer

import (
	"maps"
	"math"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// endpoint is where one backend of a name is dialled. Equal endpoints are the
// same backend.
type endpoint struct {
	address string // host:port
	weight  int
}

// usable returns the addresses that a connection can be made to, IPv4 as IPv4
// whatever form it came in, and without a zone, of which DNS knows none.
func usable(addrs []netip.Addr) []netip.Addr {
	addrs = slices.Clone(addrs)
	for i, addr := range addrs {
		addrs[i] = addr.Unmap().WithZone("")
	}
	broadcast := netip.AddrFrom4([4]byte{255, 255, 255, 255})
	return slices.DeleteFunc(addrs, func(addr netip.Addr) bool {
		// To dial an unspecified address is to dial oneself.
		return !addr.IsValid() || addr.IsUnspecified() || addr.IsMulticast() || addr == broadcast
	})
}

// fromAddresses returns the endpoints of a name with addresses that are usable.
func fromAddresses(addrs []netip.Addr, port string, weight int) []endpoint {
	weights := make(map[string]int, len(addrs)) // each once
	for _, addr := range addrs {
		weights[net.JoinHostPort(addr.String(), port)] = weight
	}
	return inOrder(weights)
}

// inOrder returns the endpoints with these weights, by their addresses.
func inOrder(weights map[string]int) []endpoint {
	endpoints := make([]endpoint, 0, len(weights))
	for _, address := range slices.Sorted(maps.Keys(weights)) {
		endpoints = append(endpoints, endpoint{address, weights[address]})
	}
	return endpoints
}

// fromServices returns an endpoint for each target and port of the records with
// the lowest priority among those of use. The others stand by in RFC 2782; here
// probes and retries see to the case that they are meant for.
//
// Targets are dialled by name, so that one whose address changes, as that of a
// Kubernetes pod with a name does, is still the same backend.
func fromServices(records []*net.SRV, weight int) []endpoint {
	lowest := math.MaxInt
	weights := map[string]int{}
	for _, record := range records {
		address, ok := dialled(record)
		priority := int(record.Priority)
		if !ok || priority > lowest {
			continue
		}
		if priority < lowest {
			lowest = priority
			clear(weights)
		}
		// RFC 2782 gives weight 0 a small share, unless all have it.
		weights[address] = max(weights[address], int(record.Weight), 1)
	}
	scale(weights, weight)
	return inOrder(weights)
}

// dialled returns the host:port of a record; not that of one without a port,
// nor of the root, by which a domain says that it has no such service, nor of
// what is no name: RFC 2782 does not allow addresses.
func dialled(record *net.SRV) (string, bool) {
	// Without regard to case, which resolvers may change as they please.
	host := strings.ToLower(strings.TrimSuffix(record.Target, "."))
	if _, err := netip.ParseAddr(host); err == nil || record.Port == 0 || !isTarget(host) {
		return "", false
	}
	if strings.Contains(host, ".") {
		host += "." // keeps the lookup from trying search domains; a bare name may be one of the hosts file
	}
	return net.JoinHostPort(host, strconv.Itoa(int(record.Port))), true
}

// maxServiceWeight is the largest weight that an SRV record's, which can be
// 65535, becomes: a round of round robin is as long as the sum of the weights.
const maxServiceWeight = 100

// scale reduces weights to the smallest with the same proportions, or nearly
// the same, and multiplies them by factor. Alike weights thus stay alike
// whatever they are: CoreDNS gives each of n targets 100/n, and one that joins
// must not make all the others new.
func scale(weights map[string]int, factor int) {
	common, greatest := 0, 0
	for _, weight := range weights {
		common, greatest = gcd(common, weight), max(greatest, weight)
	}
	limit := max(min(maxServiceWeight, maxWeight/factor), 1)
	for address, weight := range weights {
		if greatest/common > limit {
			weight = max(weight*limit/greatest, 1)
		} else {
			weight /= common
		}
		weights[address] = weight * factor
	}
}
