package millrace.golden;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Cases of pipelines as dice make them: the same ones for the same seed. Records come out of order and late, at the bounds
 * of windows, without keys, and with all that can be wrong about a value.
 */
final class RandomPipelineCase {
    private static final long MINUTE = 60_000;

    private final RandomEvents events;
    private final SplittableRandom random;

    private RandomPipelineCase(SplittableRandom random) {
        this.random = random;
        this.events = new RandomEvents(random);
    }

    /** Cases of a pipeline, named after it, the seed and their number. */
    static List<Case> of(String pipeline, String seed, int count) {
        var random = new SplittableRandom(Long.parseLong(seed) * 31 + pipeline.hashCode());
        RandomPipelineCase dice = new RandomPipelineCase(random);
        List<Case> cases = new ArrayList<>();
        for (int number = 0; number < count; number++) {
            cases.add(Case.of(pipeline + "-" + seed + "-" + number, pipeline, dice.inputs(pipeline, number)));
        }
        return cases;
    }

    /** Every seventh case is long enough for what needs many records. */
    private List<Case.Input> inputs(String pipeline, int number) {
        int count = number % 7 == 6 ? 100 + random.nextInt(51) : 30 + random.nextInt(7);
        Times times = new Times(pipeline, count);
        List<Case.Input> inputs = new ArrayList<>();
        for (int index = 0; index < count; index++) {
            String topic = topic(pipeline);
            ObjectNode event = events.event(pipeline, topic, index);
            inputs.add(new Case.Input(topic, events.key(), events.value(event), times.next()));
        }
        return inputs;
    }

    private String topic(String pipeline) {
        return switch (pipeline) {
            case "customer-activity" -> "bss.customer.events";
            case "order-enrichment" -> random.nextInt(4) == 0 ? "bss.customer.info" : "bss.order.events";
            case "fraud-scoring" -> "bss.payment.events";
            case "recommendations" -> random.nextInt(5) < 2 ? "bss.customer.events" : "bss.product.views";
            case "dynamic-pricing" -> "bss.order.events";
            default -> throw new IllegalArgumentException("there is no pipeline " + pipeline);
        };
    }

    /** Times that move on in steps of a part of the window, and lie at bounds more often than by chance. */
    private final class Times {
        private final long window;
        private final long step;
        private final boolean isSlow;
        private final boolean hasSessions;
        private long time;

        Times(String pipeline, int count) {
            window = switch (pipeline) {
                case "customer-activity", "fraud-scoring" -> 5 * MINUTE;
                case "dynamic-pricing" -> 15 * MINUTE;
                default -> 60 * MINUTE;
            };
            hasSessions = pipeline.equals("customer-activity");
            // The slow cases have one or two windows, and so full ones; the quick cases have many.
            isSlow = random.nextInt(5) < 3;
            step = window * 2 / (isSlow ? count : 15);
            time = random.nextInt(3) * window;
        }

        long next() {
            time += random.nextLong(step);
            if (random.nextInt(isSlow ? 80 : 20) == 0) time = bound(time) + random.nextLong(-1, 2);
            if (hasSessions && random.nextInt(isSlow ? 30 : 10) == 0) time += 30 * MINUTE + random.nextLong(-1, 2);
            return Math.max(0, time - disorder());
        }

        private long bound(long near) {
            return (near / window + 1) * window;
        }

        private long disorder() {
            return switch (random.nextInt(12)) {
                // To the bound of its window, or to a bound of half an hour, which ends sessions.
                case 0 -> time % window + random.nextLong(-1, 2);
                case 1 -> hasSessions ? 30 * MINUTE + random.nextLong(-1, 2) : window;
                case 2, 3 -> random.nextLong(window);
                case 4 -> random.nextLong(3 * window);
                case 5, 6 -> random.nextLong(step + 1);
                default -> 0;
            };
        }
    }
}
