package millrace.bench;

import java.util.List;

/** {@code pipelines/dynamic-pricing.toml}. */
final class Pricing implements Pipeline {
    static final String ORDERS = "bss.order.events";
    static final String PRICES = "bss.pricing.recommendations";

    @Override
    public List<String> input() {
        return List.of(ORDERS);
    }

    @Override
    public List<String> results() {
        return List.of(PRICES);
    }

    @Override
    public Feed feed(int rate, int total) {
        return new PricingFeed(rate, total);
    }
}
