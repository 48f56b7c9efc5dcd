// Package cloudlicenses holds the nouns of the licence platform: vendors,
// tenants, licenses, pools, leases, money, ids, refusal codes and limits.
//
// It decides the one rule everything else stands on, which seat a checkout
// gets (Pool.Grant), and imports nothing but the standard library. It must
// never know how a pool is stored, replicated or reached.
package cloudlicenses
