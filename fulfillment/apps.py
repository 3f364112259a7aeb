from django.apps import AppConfig


class FulfillmentConfig(AppConfig):
    name = "fulfillment"

    def ready(self) -> None:
        from fulfillment import ranking  # noqa: PLC0415  (its models are ready only now)

        ranking.policy()  # a policy that can't be used stops every process at its start, not an order at its end
