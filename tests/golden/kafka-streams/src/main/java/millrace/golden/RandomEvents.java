package millrace.golden;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.SplittableRandom;

/** Keys and values of the analytics as dice make them, good ones and bad ones. */
final class RandomEvents {
    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;
    private static final String[] NO_OBJECTS =
        {null, "", " ", "null", "true", "5", "\"VIEW\"", "[]", "[{}]", "{", "{}}", "{\"amount\":5} x", "no JSON"};
    private static final String[] ACTIVITIES =
        {"VIEW", "VIEW", "VIEW", "ADD_TO_CART", "PURCHASE", "SHARE", "view", "", "T\u00e9l\u00e9charger"};
    /** The last two are in another order as UTF-8 than as strings of Java. */
    private static final String[] CATEGORIES =
        {"books", "toys", "garden", "Books", "b", "", "\u00e9t\u00e9", "\uff5e", "\ud83d\ude00"};
    private static final String[] LOCATIONS = {"Oslo", "Rome", "Lima", "Bonn", "Kyiv", "oslo", ""};
    private static final String[] REGIONS = {"north", "north", "south", "\u00e9", ""};
    private static final String[] PRODUCTS = {"p1", "p1", "p1", "p1", "p2", "p3", ""};
    private static final double[] AMOUNTS = {1000, 1000.01, 999.99, 5000, 10000, 0.1, 0.2, 0.01, 2500, 1e-7, 12.5};

    private final SplittableRandom random;

    RandomEvents(SplittableRandom random) {
        this.random = random;
    }

    /** Mostly one customer, so that its windows get full. */
    String key() {
        int die = random.nextInt(24);
        if (die < 14) return "a";
        if (die < 19) return "b";
        if (die < 22) return "\u00e9";
        return die == 22 ? "" : null;
    }

    /** A good event, or one with a field that is missing or of another type. */
    ObjectNode event(String pipeline, String topic, int index) {
        ObjectNode event = switch (topic) {
            case "bss.customer.events" -> activity(index);
            case "bss.product.views" -> view();
            case "bss.customer.info" -> customer();
            case "bss.payment.events" -> payment(index);
            default -> order(index);
        };
        if (random.nextInt(8) == 0) spoil(event);
        if (random.nextInt(15) == 0) event.put("note", 9007199254740993L);
        return event;
    }

    /** The text of a value: the event, or something that is none. */
    String value(ObjectNode event) {
        if (random.nextInt(15) == 0) return pick(NO_OBJECTS);
        return random.nextInt(20) == 0 ? " " + event.toPrettyString() : event.toString();
    }

    private ObjectNode activity(int index) {
        ObjectNode event = NODES.objectNode().put("eventId", "e" + (random.nextInt(9) == 0 ? 0 : index));
        event.put("activityType", pick(ACTIVITIES));
        return random.nextInt(6) == 0 ? event : event.put("category", pick(CATEGORIES));
    }

    private ObjectNode view() {
        return NODES.objectNode().put("productId", pick(PRODUCTS)).put("category", pick(CATEGORIES));
    }

    private ObjectNode customer() {
        ObjectNode row = NODES.objectNode().put("name", "N" + random.nextInt(9));
        if (random.nextInt(5) > 0) row.put("tier", random.nextBoolean() ? "GOLD" : "SILVER");
        if (random.nextInt(5) == 0) row.putObject("since").putArray("years").add(2020).add(1.50).addNull();
        return row;
    }

    private ObjectNode payment(int index) {
        ObjectNode payment = NODES.objectNode().put("paymentId", "p" + (random.nextInt(9) == 0 ? 0 : index));
        amount(payment, "amount");
        return random.nextInt(6) == 0 ? payment : payment.put("location", pick(LOCATIONS));
    }

    private ObjectNode order(int index) {
        ObjectNode order = NODES.objectNode().put("orderId", "o" + index).put("customerId", "a");
        order.put("productId", pick(PRODUCTS)).put("region", pick(REGIONS));
        amount(order, "amount");
        amount(order, "unitPrice");
        return random.nextInt(12) == 0 ? order.put("customer", "x").put("customerTier", 3) : order;
    }

    /** Small whole numbers meet the bounds of means; the others are edges, cents, and numbers with all their digits. */
    private void amount(ObjectNode event, String field) {
        switch (random.nextInt(20)) {
            case 0, 1, 2, 3, 4, 5 -> event.put(field, 1 + random.nextInt(6));
            case 6, 7, 8 -> event.put(field, AMOUNTS[random.nextInt(AMOUNTS.length)]);
            case 9, 10, 11 -> event.put(field, 5 * (1 + random.nextInt(6)));
            case 12, 13, 14 -> event.put(field, 500 * (1 + random.nextInt(6)));
            case 15 -> event.put(field, random.nextDouble() * 2000);
            default -> event.put(field, random.nextInt(1, 300_000) / 100.0);
        }
    }

    private void spoil(ObjectNode event) {
        String[] fields = event.properties().stream().map(field -> field.getKey()).toArray(String[]::new);
        String field = pick(fields);
        JsonNode other = switch (random.nextInt(12)) {
            case 0, 1 -> null;
            case 2, 3 -> NODES.nullNode();
            case 4 -> NODES.textNode("12.50");
            case 5 -> NODES.booleanNode(true);
            case 6 -> NODES.arrayNode().add(7);
            case 7 -> NODES.objectNode().put("amount", 7);
            case 8 -> NODES.numberNode(0);
            case 9 -> NODES.numberNode(-0.0);
            case 10 -> NODES.numberNode(-12.5);
            default -> NODES.numberNode(7);
        };
        if (other == null) event.remove(field);
        else event.set(field, other);
    }

    private String pick(String... choices) {
        return choices[random.nextInt(choices.length)];
    }
}
