package millrace.bench;

/** A payment; the note stands for fields that the rules don't look at. */
public class Payment {
    public String paymentId;
    public String customerId;
    public double amount;
    public String currency;
    public String location;
    public String note;
}
