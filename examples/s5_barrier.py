"""Price and Greeks of a down-and-out call, by compiled Monte Carlo and in closed form.

The option pays like a call unless the stock touches the barrier first. The function below walks
one path of the stock; a knocked-out path returns at once, so there is a recorded path for each
step at which that can happen.

A sweep differentiates along the branch that was taken and cannot see a jump between two branches.
So the payoff must not jump at the barrier: each step is weighted with the probability that a
Brownian bridge between its ends stays above, which goes to zero there. That also makes the barrier
a continuous one, for which there is a closed form (Reiner and Rubinstein 1991) to compare with.
"""

import gradtape as gt
import numpy as np

NAMES = ("S", "K", "B", "r", "sigma", "T")
MARKET = {"S": 100.0, "K": 100.0, "B": 90.0, "r": 0.03, "sigma": 0.25, "T": 1.0}


@gt.compile(signature="(n),(),(),(),(),(),()->()")
def simulated(z, S, K, B, r, sigma, T):
    """The discounted payoff on one path, from n standard normal numbers."""
    dt = T / len(z)
    drift, spread = (r - sigma**2 / 2) * dt, sigma * gt.sqrt(dt)
    height = gt.log(S / B)  # above the barrier
    survival = 1.0
    for step in z:
        before, height = height, height + drift + spread * step
        if height <= 0.0:
            return 0.0
        survival = survival * -gt.expm1(-2.0 * before * height / spread**2)
    return gt.exp(-r * T) * survival * gt.maximum(B * gt.exp(height) - K, 0.0)


@gt.compile
def call(S, K, r, sigma, T):
    """Black and Scholes's price of a call."""
    spread = sigma * gt.sqrt(T)
    d1 = (gt.log(S / K) + (r + sigma**2 / 2) * T) / spread
    return S * gt.norm_cdf(d1) - K * gt.exp(-r * T) * gt.norm_cdf(d1 - spread)


@gt.compile
def exact(S, K, B, r, sigma, T):
    """The price of a down-and-out call with a barrier below the strike."""
    mirrored = (S / B) ** (1.0 - 2.0 * r / sigma**2) * call(B**2 / S, K, r, sigma, T)
    return call(S, K, r, sigma, T) - mirrored


def main(paths=200_000, steps=12, batches=20, seed=0):
    """Print both; give (closed form, simulated, standard error) of the price and each Greek."""
    normals = np.random.default_rng(seed).normal(size=(batches, paths // batches, steps))
    # A column broadcasts along the paths of a batch, so its gradient is the sum over that batch:
    # one call gives as many estimates as there are batches, and so their error.
    columns = {name: np.full((batches, 1), number) for name, number in MARKET.items()}
    payoffs, sums = simulated.value_and_grad(normals, **columns, wrt=NAMES)
    estimates = [payoffs.mean(axis=1), *(total[:, 0] / payoffs.shape[1] for total in sums)]
    price, greeks = exact.value_and_grad(**MARKET)
    results = {}
    print(f"{'':10} closed form   simulated   std. error")
    names = ["price", *(f"d/d{name}" for name in NAMES)]
    for name, want, estimate in zip(names, [price, *greeks], estimates, strict=True):
        mean, error = estimate.mean(), estimate.std(ddof=1) / batches**0.5
        results[name] = want, mean, error
        print(f"{name:10} {want:11.4f} {mean:11.4f} {error:12.4f}")
    print(f"{paths:,} paths of the stock took {len(simulated.paths)} ways through the function")
    return results


if __name__ == "__main__":
    main()
