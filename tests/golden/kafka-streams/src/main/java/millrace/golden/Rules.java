package millrace.golden;

/** Rules whose results show what they were called with, and in which order. The guest `golden` has the same. */
final class Rules {
    static String join(String left, String right) {
        return (left == null ? "~" : left) + "+" + (right == null ? "~" : right);
    }

    static String init() {
        return "";
    }

    static String add(String key, String value, String state) {
        return state + "," + value;
    }

    static String merge(String key, String one, String other) {
        return one + "|" + other;
    }

    private Rules() {}
}
