package millrace.golden;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/** Cases of operators as dice make them: the same ones for the same seed. Timestamps are close enough for bounds to be hit. */
final class RandomCase {
    static final List<String> OPERATORS = List.of("stream-join", "lookup", "table-join", "table", "count-none",
        "tumbling", "hopping", "sliding", "session");
    private static final String[] KEYS = {"a", "b", "c"};

    private final SplittableRandom random;

    private RandomCase(SplittableRandom random) {
        this.random = random;
    }

    /** Cases of an operator, named after it, the seed and their number. */
    static List<Case> of(String operator, String seed, int count) {
        RandomCase dice = new RandomCase(new SplittableRandom(Long.parseLong(seed) * 31 + operator.hashCode()));
        List<Case> cases = new ArrayList<>();
        for (int number = 0; number < count; number++) {
            Op op = dice.op(operator);
            cases.add(Case.of(operator + "-" + seed + "-" + number, op, dice.inputs(op)));
        }
        return cases;
    }

    private Op op(String operator) {
        return switch (operator) {
            case "stream-join" -> Op.streamJoin(kind(), pick(0, 5, 10, 20), pick(0, 5, 10, 20), pick(0, 0, 5, 30));
            case "lookup" -> Op.join(operator, random.nextBoolean() ? "inner" : "left");
            case "table-join" -> Op.join(operator, kind());
            case "table" -> Op.table();
            case "count-none" -> Op.unwindowed();
            case "tumbling" -> Op.tumbling(pick(10, 20, 50), grace(), emit());
            case "hopping" -> {
                long size = pick(20, 30, 50);
                yield Op.hopping(size, pick(5, 7, 10, size), grace(), emit());
            }
            case "sliding" -> Op.sliding(pick(1, 5, 10, 25), grace(), emit());
            case "session" -> Op.session(pick(1, 5, 10, 25), grace(), emit());
            default -> throw new IllegalArgumentException("there is no operator " + operator);
        };
    }

    private List<Case.Input> inputs(Op op) {
        int count = 8 + random.nextInt(28);
        int disorder = (int) pick(1, 15, 60);
        long time = pick(0, 0, 100, 1000);
        List<Case.Input> inputs = new ArrayList<>();
        for (int number = 0; number < count; number++) {
            // Now and then a long step, after which everything that was open is over.
            time += random.nextInt(8) + (random.nextInt(25) == 0 ? 80 : 0);
            String topic = op.hasTwoInputs() && random.nextBoolean() ? Answer.RIGHT : Answer.LEFT;
            String key = random.nextInt(30) == 0 ? null : KEYS[random.nextInt(KEYS.length)];
            String value = random.nextInt(12) == 0 ? null : Integer.toString(number);
            long late = random.nextInt(3) == 0 ? random.nextInt(disorder) : 0;
            inputs.add(new Case.Input(topic, key, value, Math.max(0, time - late)));
        }
        return inputs;
    }

    private String kind() {
        return List.of("inner", "left", "outer").get(random.nextInt(3));
    }

    private long grace() {
        return pick(0, 0, 5, 20);
    }

    private String emit() {
        return random.nextBoolean() ? "update" : "final";
    }

    private long pick(long... choices) {
        return choices[random.nextInt(choices.length)];
    }
}
