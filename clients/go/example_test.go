package licenseclient_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log"
	"time"

	licenseclient "github.com/cloudlicenses/cloudlicenses/clients/go"
)

// Work with a product for as long as the lease lives.
func Example() {
	ctx := context.Background()
	client, err := licenseclient.FromEnv() // LICENSE_SERVER_URL, LICENSE_API_KEY
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	lease, err := client.Checkout(ctx, licenseclient.CheckoutRequest{
		ProductID: "davinci-configurator-se",
		User:      "alice@mercedes.com",
	})
	switch {
	case errors.Is(err, licenseclient.ErrLicenseUnavailable):
		log.Fatal("no license is free: try again later")
	case errors.Is(err, licenseclient.ErrOverageMaxExceeded):
		log.Fatal("all seats are taken, overage included: ask your license administrator")
	case err != nil:
		log.Fatal(err)
	}
	defer func() {
		if err := lease.Return(context.WithoutCancel(ctx)); err != nil {
			log.Print(err) // the lease ends by itself after its TTL
		}
	}()
	lease.KeepAlive(ctx)

	fmt.Println("working under", lease.ID, lease.Type)
	select {
	case <-work():
	case <-lease.Lost():
		log.Print("stop working, save: ", lease.Err())
	}
}

func work() <-chan struct{} { return nil }

// Decline overage, ask for several seats, and state the application's version.
func ExampleClient_Checkout() {
	ctx, client := context.Background(), connect()
	lease, err := client.Checkout(ctx, licenseclient.CheckoutRequest{
		ProductID: "davinci-configurator-se",
		User:      "nightly-build",
		Count:     4, // all or none
		Version:   "8.2.1",
		TTL:       10 * time.Minute,
		NoOverage: true,
		Metadata:  map[string]any{"pipeline": "nightly", "run": 4711},
	})
	var refusal *licenseclient.Error
	if errors.As(err, &refusal) {
		log.Fatalf("refused: %s (%s), request %s", refusal.Detail, refusal.Code, refusal.RequestID)
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(lease.ID, lease.ExpiresAt())
}

// Learn what became of a checkout that ended without an answer.
func ExampleUnfinishedError() {
	client := connect()
	request := licenseclient.CheckoutRequest{ProductID: "davinci-configurator-se", User: "alice@mercedes.com"}

	short, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	lease, err := client.Checkout(short, request)
	var unfinished *licenseclient.UnfinishedError
	if errors.As(err, &unfinished) && unfinished.Unknown {
		request.IdempotencyKey = unfinished.IdempotencyKey
		lease, err = client.Checkout(context.Background(), request) // the same lease, or the first
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(lease.ID)
}

// Verify a lease's token without asking the server about the lease.
func ExampleVerifier() {
	ctx, client := context.Background(), connect()
	lease, err := client.Checkout(ctx, licenseclient.CheckoutRequest{
		ProductID: "davinci-configurator-se",
		User:      "alice@mercedes.com",
		Token:     true,
	})
	if err != nil {
		log.Fatal(err)
	}
	verifier := client.Verifier(licenseclient.VerifierOptions{})
	claims, err := verifier.Verify(ctx, lease.Token())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(claims.LeaseID, claims.User, claims.ProductID, claims.ExpiresAt)
}

// Verify by a key that the application carries: no network at all.
func ExampleNewVerifier() {
	var public ed25519.PublicKey // from the server's /.well-known/jwks.json, once
	verifier := licenseclient.NewVerifier(licenseclient.VerifierOptions{
		Issuer: "https://mercedes.cloudlicenses.com",
		Keys:   map[string]ed25519.PublicKey{"the key's kid": public},
	})
	_, err := verifier.Verify(context.Background(), "eyJ…")
	fmt.Println(errors.Is(err, licenseclient.ErrToken))
}

// Several operations in one request, each with its own outcome.
func ExampleClient_Batch() {
	client := connect()
	results, err := client.Batch(context.Background(), []licenseclient.Operation{
		licenseclient.CheckoutOp(licenseclient.CheckoutRequest{ProductID: "davinci-configurator-se", User: "alice@mercedes.com"}),
		licenseclient.CheckoutOp(licenseclient.CheckoutRequest{ProductID: "canoe", User: "alice@mercedes.com"}),
		licenseclient.ReturnOp("lease-41"),
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, result := range results {
		fmt.Println(result.Status, result.Err)
	}
}

// List what is free.
func ExampleClient_Licenses() {
	for license, err := range connect().Licenses(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(license.ProductID, license.Available, "of", license.TotalLicenses)
	}
}

func connect() *licenseclient.Client {
	client, err := licenseclient.New(licenseclient.Options{
		ServerURL: "http://mercedes.localhost:8080",
		APIKey:    "clsk_mercedes_…",
		// The other nodes of a cluster without a load balancer in front.
		Endpoints: []string{"http://127.0.0.1:8081", "http://127.0.0.1:8082"},
	})
	if err != nil {
		log.Fatal(err)
	}
	return client
}
