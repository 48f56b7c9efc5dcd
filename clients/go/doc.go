// Package licenseclient checks licenses out of a cloudlicenses cluster, keeps
// them alive and returns them, over the public HTTP API of a tenant.
//
// A Client is made once for a process and is safe for concurrent use:
//
//	client, err := licenseclient.FromEnv() // LICENSE_SERVER_URL, LICENSE_API_KEY
//	lease, err := client.Checkout(ctx, licenseclient.CheckoutRequest{
//		ProductID: "davinci-configurator-se",
//		User:      "alice@mercedes.com",
//	})
//	lease.KeepAlive(ctx)
//	defer lease.Return(context.WithoutCancel(ctx))
//
// What a caller need not think about:
//
//   - A checkout is one intent under one Idempotency-Key. It is sent again after
//     a dropped connection, a time-out or a reply that says it is retryable, and
//     still takes one seat and is charged once.
//   - When a node names the tenant's leader, further writes go straight there,
//     and back to the server's URL as soon as that fails.
//   - Heartbeats stop when the lease is returned; a lease that is gone closes
//     Lease.Lost.
//   - A token asked for with the checkout is verified offline by a Verifier.
//
// Refusals are *Error values and answer errors.Is for the code the server gave,
// such as ErrLicenseUnavailable. The package needs the standard library alone
// and knows nothing of the server's inside.
package licenseclient
