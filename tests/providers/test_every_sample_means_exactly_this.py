"""Every sample body, and exactly what it means."""

import pytest

from functions.providers.attempt import failure_of
from functions.providers.events import (
    CallChanged,
    ContactSeen,
    Event,
    GroupChanged,
    Identity,
    InstanceChanged,
    LimitChanged,
    MessageReceived,
    Notice,
    PreferenceChanged,
    StatusChanged,
    TemplateChanged,
)
from tests.providers.samples import provider_of, read, webhook_names

TEST_CONTACT = [
    Identity("phone", "+972987654321"),
    Identity("wa_id", "972987654321"),
    Identity("bsuid", "US.10000000000000000003"),
    Identity("parent_bsuid", "US.ENT.10000000000000000004"),
]

# dedupe key, kind of route, route, kind, order key, events
Expected = tuple[str, str, str, str, str | None, list[Event]]

EXPECTED: dict[str, Expected] = {
    "evolution/connection_update_close_401.json": (
        "loja|connection.update|close|401|2025-05-02T03:01:20",
        "instance",
        "instancia-teste",
        "connection.update",
        "loja|connection",
        [
            InstanceChanged(
                state="closed", reason="401 logged_out", at="2025-05-02T03:01:20.092000+00:00"
            )
        ],
    ),
    "evolution/contacts_upsert_array.json": (
        "loja|contacts.upsert|9528081927628e78218ddbc30b5c8d635cc5fe0b|2025-11-21T21:22:41",
        "instance",
        "nome-da-instancia",
        "contacts.upsert",
        None,
        [
            ContactSeen(
                identities=[Identity("phone", "+5581980000011"), Identity("wa_id", "558180000011")],
                name="Nome do Contato",
                evidence="contacts.upsert",
                at="2025-11-21T21:22:41.518000+00:00",
            )
        ],
    ),
    "evolution/messages_update_delivery_ack.json": (
        "loja|messages.update|3EB0E62EC94C6C01256AE4|DELIVERY_ACK",
        "instance",
        "instancia-teste",
        "messages.update",
        None,
        [
            StatusChanged(
                provider_message_id="3EB0E62EC94C6C01256AE4",
                status="delivered",
            )
        ],
    ),
    "evolution/messages_update_read_device_suffix.json": (
        "loja|messages.update|3EB0E62EC94C6C01256AE4|READ",
        "instance",
        "instancia-teste",
        "messages.update",
        None,
        [
            StatusChanged(
                provider_message_id="3EB0E62EC94C6C01256AE4",
                status="read",
            )
        ],
    ),
    "evolution/messages_upsert_audio_ptt_inbound.json": (
        "loja|messages.upsert|70B23FB274D480B740FCC07E6427D21B",
        "instance",
        "instancia-teste-2",
        "messages.upsert",
        "loja|59170000002@s.whatsapp.net",
        [
            MessageReceived(
                provider_message_id="70B23FB274D480B740FCC07E6427D21B",
                sent_at="2025-05-03T22:41:25+00:00",
                chat_address="59170000002@s.whatsapp.net",
                direction="in",
                identities=[Identity("phone", "+59170000002"), Identity("wa_id", "59170000002")],
                name="Contato Dois",
                type="audio",
                media={
                    "url": "https://mmg.whatsapp.net/v/t62.0000-24/synthetic.enc?ccb=11-4&oh=SYNTH&oe=SYNTH&_nc_sid=SYNTH&mms3=true",
                    "mime_type": "audio/ogg; codecs=opus",
                    "sha256": "c3ludGhldGljLTMyLWJ5dGUtdmFsdWUtMDAwMDAwMDA=",
                    "bytes": 41589,
                    "seconds": 19,
                    "voice": True,
                    "encrypted": True,
                    "inline": True,
                },
            )
        ],
    ),
    "evolution/messages_upsert_group_extended_text_expiration.json": (
        "loja|messages.upsert|3A64A0D75B60AB42F46A",
        "instance",
        "instancia-teste",
        "messages.upsert",
        "loja|120363000000000002@g.us",
        [
            MessageReceived(
                provider_message_id="3A64A0D75B60AB42F46A",
                sent_at="2025-05-08T23:08:00+00:00",
                chat_address="120363000000000002@g.us",
                direction="in",
                chat_kind="group",
                author={"id": "100000000000003@lid", "name": "Contato Tres"},
                type="text",
                body="Mensagem de teste em grupo\ncom duas linhas",
                payload={"expiration_seconds": 86400},
            )
        ],
    ),
    "evolution/messages_upsert_image_inbound_base64.json": (
        "loja|messages.upsert|3EB083096BF5E4096E4137",
        "instance",
        "instancia-teste",
        "messages.upsert",
        "loja|59170000001@s.whatsapp.net",
        [
            MessageReceived(
                provider_message_id="3EB083096BF5E4096E4137",
                sent_at="2025-05-01T20:53:16+00:00",
                chat_address="59170000001@s.whatsapp.net",
                direction="in",
                identities=[Identity("phone", "+59170000001"), Identity("wa_id", "59170000001")],
                name="Contato Um",
                type="image",
                body="hola - text con multimedia (imagen)",
                media={
                    "url": "https://mmg.whatsapp.net/v/t62.0000-24/synthetic.enc?ccb=11-4&oh=SYNTH&oe=SYNTH&_nc_sid=SYNTH&mms3=true",
                    "mime_type": "image/jpeg",
                    "sha256": "c3ludGhldGljLTMyLWJ5dGUtdmFsdWUtMDAwMDAwMDA=",
                    "bytes": 52046,
                    "encrypted": True,
                    "inline": True,
                },
            )
        ],
    ),
    "evolution/messages_upsert_lid_only_b.json": (
        "loja|messages.upsert|SYNTHETICID0000000002",
        "instance",
        "Whatsapp",
        "messages.upsert",
        "loja|100000000000004@lid",
        [
            MessageReceived(
                provider_message_id="SYNTHETICID0000000002",
                sent_at="2025-07-27T11:15:00+00:00",
                chat_address="100000000000004@lid",
                direction="in",
                identities=[Identity("lid", "100000000000004")],
                name="Contato Seis",
                type="text",
                body="Mensagem de teste",
            )
        ],
    ),
    "evolution/messages_upsert_lid_with_alt_v23.json": (
        "loja|messages.upsert|ACF74C317ABADED4BE7EDC7E41BE13EE",
        "instance",
        "5588900000016",
        "messages.upsert",
        "loja|558890000017@s.whatsapp.net",
        [
            MessageReceived(
                provider_message_id="ACF74C317ABADED4BE7EDC7E41BE13EE",
                sent_at="2025-11-16T20:49:42+00:00",
                chat_address="558890000017@s.whatsapp.net",
                direction="in",
                identities=[
                    Identity("phone", "+5588990000017"),
                    Identity("wa_id", "558890000017"),
                    Identity("lid", "10000000000001"),
                ],
                name="Contato Quatro",
                type="text",
                body="Teste envio de mensagem",
            )
        ],
    ),
    "evolution/messages_upsert_text_from_me.json": (
        "loja|messages.upsert|3EB0B7AA9746D9215C1340",
        "instance",
        "instancia-teste",
        "messages.upsert",
        "loja|59170000001@s.whatsapp.net",
        [
            MessageReceived(
                provider_message_id="3EB0B7AA9746D9215C1340",
                sent_at="2025-05-01T21:10:21+00:00",
                chat_address="59170000001@s.whatsapp.net",
                direction="out",
                origin="phone_echo",
                identities=[Identity("phone", "+59170000001"), Identity("wa_id", "59170000001")],
                type="text",
                body="menasje saliente solo texto",
            )
        ],
    ),
    "evolution/messages_upsert_text_inbound_owner.json": (
        "loja|messages.upsert|3EB03E3CA617ADA52AEA79",
        "instance",
        "instancia-teste",
        "messages.upsert",
        "loja|59170000001@s.whatsapp.net",
        [
            MessageReceived(
                provider_message_id="3EB03E3CA617ADA52AEA79",
                sent_at="2025-05-01T20:51:13+00:00",
                chat_address="59170000001@s.whatsapp.net",
                direction="in",
                identities=[Identity("phone", "+59170000001"), Identity("wa_id", "59170000001")],
                name="Contato Um",
                type="text",
                body="hola - text",
            )
        ],
    ),
    "evolution/rabbitmq_qrcode_updated_v237.json": (
        "loja|qrcode.updated|2856346dcae4f4f74f000d17880208f27f163777|2026-07-17T20:42:00",
        "instance",
        "instancia-teste",
        "qrcode.updated",
        "loja|connection",
        [InstanceChanged(state="qr", qr="2@SYNTHETIC", at="2026-07-17T20:42:00.421000+00:00")],
    ),
    "evolution/send_message_v237.json": (
        "loja|send.message|SYNTHETICBOT0000000001",
        "instance",
        "instancia-teste",
        "send.message",
        "loja|5511900000023@s.whatsapp.net",
        [
            MessageReceived(
                provider_message_id="SYNTHETICBOT0000000001",
                sent_at=None,
                chat_address="5511900000023@s.whatsapp.net",
                direction="out",
                origin="api_echo",
                identities=[
                    Identity("phone", "+5511900000023"),
                    Identity("wa_id", "5511900000023"),
                ],
                type="text",
                body="Mensagem de teste",
                status="accepted",
            )
        ],
    ),
    "meta/account_update_disabled.json": (
        "102290129340398|account_update|dab73e9c83077a8928d901b08be11bd114207fc6|1604703058",
        "waba",
        "102290129340398",
        "account_update",
        None,
        [
            InstanceChanged(reason="SCHEDULE_FOR_DISABLE", at="2020-11-06T22:50:58+00:00"),
            Notice(
                name="account_update",
                value={
                    "event": "DISABLED_UPDATE",
                    "ban_info": {
                        "waba_ban_state": "SCHEDULE_FOR_DISABLE",
                        "waba_ban_date": "January 31, 2021",
                    },
                },
            ),
        ],
    ),
    "meta/message_image.json": (
        "1122334455667|msg|wamid.SYNTH.message_image.0",
        "phone_number_id",
        "1122334455667",
        "messages",
        "1122334455667|972987654321",
        [
            MessageReceived(
                provider_message_id="wamid.SYNTH.message_image.0",
                sent_at="2023-10-11T16:56:19+00:00",
                chat_address="972987654321",
                direction="in",
                identities=TEST_CONTACT,
                name="Test Name",
                type="image",
                media={
                    "id": "65463453",
                    "mime_type": "image/jpeg",
                    "sha256": "4654+8g=",
                    "inline": False,
                },
            )
        ],
    ),
    "meta/message_interactive_button_reply.json": (
        "1122334455667|msg|wamid.SYNTH.message_interactive_button_reply.0",
        "phone_number_id",
        "1122334455667",
        "messages",
        "1122334455667|972987654321",
        [
            MessageReceived(
                provider_message_id="wamid.SYNTH.message_interactive_button_reply.0",
                sent_at="2023-10-25T20:45:30+00:00",
                chat_address="972987654321",
                direction="in",
                identities=TEST_CONTACT,
                name="Test Name",
                type="interactive",
                body="title",
                payload={"kind": "button_reply", "id": "callback_data", "title": "title"},
                reply_to="wamid.xyzxyz",
                quoted={"author": "us"},
            )
        ],
    ),
    "meta/message_quick_reply_button.json": (
        "1122334455667|msg|wamid.SYNTH.message_quick_reply_button.0",
        "phone_number_id",
        "1122334455667",
        "messages",
        "1122334455667|972987654321",
        [
            MessageReceived(
                provider_message_id="wamid.SYNTH.message_quick_reply_button.0",
                sent_at="2023-10-25T21:23:47+00:00",
                chat_address="972987654321",
                direction="in",
                identities=TEST_CONTACT,
                name="Test Name",
                type="button",
                body="title",
                payload={"kind": "quick_reply", "id": "callback_data", "title": "title"},
                reply_to="wamid.xyzxyz==",
                quoted={"author": "us"},
            )
        ],
    ),
    "meta/message_reaction.json": (
        "1122334455667|msg|wamid.SYNTH.message_reaction.0",
        "phone_number_id",
        "1122334455667",
        "messages",
        "1122334455667|972987654321",
        [
            MessageReceived(
                provider_message_id="wamid.SYNTH.message_reaction.0",
                sent_at="2023-10-11T17:14:16+00:00",
                chat_address="972987654321",
                direction="in",
                identities=TEST_CONTACT,
                name="Test Name",
                type="reaction",
                body="😮",
                target="wamid.yzxyzx=",
                actor="contact",
            )
        ],
    ),
    "meta/message_reply_context.json": (
        "1122334455667|msg|wamid.SYNTH.message_reply_context.0",
        "phone_number_id",
        "1122334455667",
        "messages",
        "1122334455667|972987654321",
        [
            MessageReceived(
                provider_message_id="wamid.SYNTH.message_reply_context.0",
                sent_at="2023-10-11T17:19:06+00:00",
                chat_address="972987654321",
                direction="in",
                identities=TEST_CONTACT,
                name="Test Name",
                type="text",
                body="replied text",
                reply_to="wamid.xyzxyz==",
                quoted={"author": "us"},
            )
        ],
    ),
    "meta/message_text.json": (
        "1122334455667|msg|wamid.SYNTH.message_text.0",
        "phone_number_id",
        "1122334455667",
        "messages",
        "1122334455667|972987654321",
        [
            MessageReceived(
                provider_message_id="wamid.SYNTH.message_text.0",
                sent_at="2023-10-11T16:53:43+00:00",
                chat_address="972987654321",
                direction="in",
                identities=TEST_CONTACT,
                name="Test Name",
                type="text",
                body="Body Text",
            )
        ],
    ),
    "meta/message_text_bsuid_only.json": (
        "106540352242922|msg|wamid.SYNTH.bsuidonly.0",
        "phone_number_id",
        "106540352242922",
        "messages",
        "106540352242922|IN.1000000000000002",
        [
            MessageReceived(
                provider_message_id="wamid.SYNTH.bsuidonly.0",
                sent_at="2026-05-12T09:53:02+00:00",
                chat_address="IN.1000000000000002",
                direction="in",
                identities=[
                    Identity("bsuid", "IN.1000000000000002"),
                    Identity("parent_bsuid", "IN.ENT.9000000005"),
                    Identity("username", "contato_nove"),
                ],
                name="Contato Nove",
                type="text",
                body="testing bsuid",
            )
        ],
    ),
    "meta/message_voice.json": (
        "1122334455667|msg|wamid.SYNTH.message_voice.0",
        "phone_number_id",
        "1122334455667",
        "messages",
        "1122334455667|972987654321",
        [
            MessageReceived(
                provider_message_id="wamid.SYNTH.message_voice.0",
                sent_at="2023-10-11T16:57:53+00:00",
                chat_address="972987654321",
                direction="in",
                identities=TEST_CONTACT,
                name="Test Name",
                type="audio",
                media={
                    "id": "1234567890987654321",
                    "mime_type": "audio/ogg; codecs=opus",
                    "sha256": "c3ludGhldGljLTMyLWJ5dGUtdmFsdWUtMDAwMDAwMDA=",
                    "voice": True,
                    "inline": False,
                },
            )
        ],
    ),
    "meta/real_status_failed_131026.json": (
        "106540352242922|st|wamid.HBgLMzI0NzAwMDAwMjYVAgARGBIzOTI2MzFGRjdBRjA4M0Y2RDQA|failed|1698231447",
        "phone_number_id",
        "106540352242922",
        "statuses",
        None,
        [
            StatusChanged(
                provider_message_id="wamid.HBgLMzI0NzAwMDAwMjYVAgARGBIzOTI2MzFGRjdBRjA4M0Y2RDQA",
                status="failed",
                at="2023-10-25T10:57:27+00:00",
                error={
                    "code": "131026",
                    "title": "Receiver is incapable of receiving this message",
                    "details": "Message Undeliverable.",
                    **failure_of("recipient"),
                },
            )
        ],
    ),
    "meta/real_text_br_bsuid.json": (
        "1000000000000201|msg|wamid.HBgMNTUzMTkwMDAwMDIwFQIAEhgUM0JENzA4QjYzRTYyOTI4ODIyOTIA",
        "phone_number_id",
        "1000000000000201",
        "messages",
        "1000000000000201|553190000020",
        [
            MessageReceived(
                provider_message_id="wamid.HBgMNTUzMTkwMDAwMDIwFQIAEhgUM0JENzA4QjYzRTYyOTI4ODIyOTIA",
                sent_at="2026-07-29T16:20:28+00:00",
                chat_address="553190000020",
                direction="in",
                identities=[
                    Identity("phone", "+5531990000020"),
                    Identity("wa_id", "553190000020"),
                    Identity("bsuid", "BR.1000000000000001"),
                ],
                name="Contato Oito",
                type="text",
                body="oi",
            )
        ],
    ),
    "meta/smb_message_echo_text.json": (
        "1122334455667|smb_message_echoes|wamid.SYNTH.smb_message_echo_text.0",
        "phone_number_id",
        "1122334455667",
        "smb_message_echoes",
        "1122334455667|972987654321",
        [
            MessageReceived(
                provider_message_id="wamid.SYNTH.smb_message_echo_text.0",
                sent_at="2023-10-11T16:53:43+00:00",
                chat_address="972987654321",
                direction="out",
                origin="phone_echo",
                identities=TEST_CONTACT,
                name="Test Name",
                type="text",
                body="Test message",
            )
        ],
    ),
    "meta/status_delivered.json": (
        "1122334455667|st|wamid.xyzxyz|delivered|1698266945",
        "phone_number_id",
        "1122334455667",
        "statuses",
        None,
        [
            StatusChanged(
                provider_message_id="wamid.xyzxyz",
                status="delivered",
                at="2023-10-25T20:49:05+00:00",
                identities=TEST_CONTACT,
            )
        ],
    ),
    "meta/status_failed_131049.json": (
        "106540352242922|st|wamid.HBgLMTY1MDAwMDAwMjcVAgARGBI0QUQ2MjA4NEYyRkExNjMyREUA|failed|1751142888",
        "phone_number_id",
        "106540352242922",
        "statuses",
        None,
        [
            StatusChanged(
                provider_message_id="wamid.HBgLMTY1MDAwMDAwMjcVAgARGBI0QUQ2MjA4NEYyRkExNjMyREUA",
                status="failed",
                at="2025-06-28T20:34:48+00:00",
                error={
                    "code": "131049",
                    "title": "This message was not delivered to maintain healthy ecosystem "
                    "engagement.",
                    "details": "In order to maintain a healthy ecosystem engagement, the message "
                    "failed to be delivered.",
                    **failure_of("defer"),
                },
            )
        ],
    ),
    "meta/status_read_v24_minimal.json": (
        "106540352242922|st|wamid.HBgLMTY1MDAwMDAwMjcVAgASGBQzQUFERjg0NDEzNDdFODU3MUMxMAA=|read|1750030090",
        "phone_number_id",
        "106540352242922",
        "statuses",
        None,
        [
            StatusChanged(
                provider_message_id="wamid.HBgLMTY1MDAwMDAwMjcVAgASGBQzQUFERjg0NDEzNDdFODU3MUMxMAA=",
                status="read",
                at="2025-06-15T23:28:10+00:00",
            )
        ],
    ),
    "meta/status_sent_biz_opaque_callback_data.json": (
        "1122334455667|st|wamid.xyzxyz|sent|1698266945",
        "phone_number_id",
        "1122334455667",
        "statuses",
        None,
        [
            StatusChanged(
                provider_message_id="wamid.xyzxyz",
                status="sent",
                at="2023-10-25T20:49:05+00:00",
                client_ref="some data",
                identities=TEST_CONTACT,
            )
        ],
    ),
    "meta/status_sent_pmp_marketing.json": (
        "106540352242922|st|wamid.HBgLMTY1MDAwMDAwMjcVAgASGBQzQUFERjg0NDEzNDdFODU3MUMxMAA=|sent|1750030073",
        "phone_number_id",
        "106540352242922",
        "statuses",
        None,
        [
            StatusChanged(
                provider_message_id="wamid.HBgLMTY1MDAwMDAwMjcVAgASGBQzQUFERjg0NDEzNDdFODU3MUMxMAA=",
                status="sent",
                at="2025-06-15T23:27:53+00:00",
            )
        ],
    ),
    "meta/template_status_approved.json": (
        "102290129340398|message_template_status_update|963078dcb59586b01ba8b4e117624a9055d69684|1751247548",
        "waba",
        "102290129340398",
        "message_template_status_update",
        None,
        [
            TemplateChanged(
                name="order_confirmation",
                language="en_US",
                template_id="1689556908129832",
                status="approved",
                category="utility",
                at="2025-06-30T01:39:08+00:00",
            )
        ],
    ),
    "meta/user_preferences_signup.json": (
        "106540352242922|user_preferences|aa80293fdbc657aa24e9f62206f8824e5ad7c52d|1731705721",
        "phone_number_id",
        "106540352242922",
        "user_preferences",
        None,
        [
            PreferenceChanged(
                identities=[Identity("phone", "+16505550101"), Identity("wa_id", "16505550101")],
                wanted=True,
                at="2024-11-15T21:22:01+00:00",
                detail="User signed up via signup link",
            )
        ],
    ),
    "evolution/call_offer_lid.json": (
        "loja|call|SYNTHCALL0001|offer",
        "instance",
        "instancia-teste",
        "call",
        None,
        [
            CallChanged(
                call_id="SYNTHCALL0001",
                status="ringing",
                identities=[
                    Identity("phone", "+5531990000071"),
                    Identity("wa_id", "553190000071"),
                    Identity("lid", "10000000000071"),
                ],
                at="2026-07-02T14:00:00+00:00",
            )
        ],
    ),
    "evolution/group_participants_add_v237.json": (
        "loja|group.participants.update|c222227766eee2a1fffc1d4edc2e3fab99b2e783|2026-07-02T11:00:00",
        "instance",
        "instancia-teste",
        "group.participants.update",
        None,
        [
            GroupChanged(
                group="120363000000000072@g.us",
                action="add",
                participants=[{"id": "10000000000074@lid", "phone": "+5531990000074"}],
                by="553190000073@s.whatsapp.net",
                at="2026-07-02T11:00:00+00:00",
            )
        ],
    ),
    "evolution/messages_update_votes_v237.json": (
        "loja|messages.update|SYNTHPOLL0001|SERVER_ACK|c12780e41b5ab1d4ce1935c8dd0879cce08fc56e",
        "instance",
        "instancia-teste",
        "messages.update",
        None,
        [
            MessageReceived(
                provider_message_id="SYNTHPOLL0001#vote-22f7cf84e1518156",
                sent_at=None,
                chat_address="553190000075@s.whatsapp.net",
                type="vote",
                payload={"options": ["Manhã"], "emitted": "2026-07-02T11:00:00.000Z"},
                target="SYNTHPOLL0001",
                actor="contact",
            )
        ],
    ),
    "evolution/messages_upsert_vote_v237.json": (
        "loja|messages.upsert|SYNTHVOTE0001",
        "instance",
        "instancia-teste",
        "messages.upsert",
        "loja|553190000075@s.whatsapp.net",
        [
            MessageReceived(
                provider_message_id="SYNTHVOTE0001",
                sent_at="2026-07-02T11:00:00+00:00",
                chat_address="553190000075@s.whatsapp.net",
                identities=[
                    Identity("phone", "+5531990000075"),
                    Identity("wa_id", "553190000075"),
                    Identity("lid", "10000000000075"),
                ],
                name="Contato Vinte",
                type="vote",
                payload={"options": ["Manhã"]},
                target="SYNTHPOLL0001",
                actor="contact",
            )
        ],
    ),
    "evolution/messages_update_read_lid_v24.json": (
        "loja|messages.update|SYNTHLID0001|READ",
        "instance",
        "instancia-teste",
        "messages.update",
        None,
        [StatusChanged(provider_message_id="SYNTHLID0001", status="read")],
    ),
    "evolution/business_form_v237.json": (
        "loja|messages.upsert|wamid.SYNTH.form.0|empty",
        "instance",
        "instancia-teste",
        "messages.upsert",
        "loja|553190000077@s.whatsapp.net",
        [
            MessageReceived(
                provider_message_id="wamid.SYNTH.form.0",
                sent_at="2026-07-02T11:00:00+00:00",
                chat_address="553190000077@s.whatsapp.net",
                identities=[
                    Identity("phone", "+5531990000077"),
                    Identity("wa_id", "553190000077"),
                ],
                name="Contato Vinte e Dois",
                payload={"content": "interactiveMessage"},
                reply_to="wamid.SYNTH.form.question",
            )
        ],
    ),
    "evolution/group_update_subject.json": (
        "loja|group.update|5c80ccc60118ce48d5e10d76d924ecefaedc9772|2026-07-02T11:00:00",
        "instance",
        "instancia-teste",
        "group.update",
        None,
        [
            GroupChanged(
                group="120363000000000072@g.us",
                action="changed",
                by="553190000074@s.whatsapp.net",
                subject="Obra da Rua Dez",
                at="2026-07-02T11:00:00+00:00",
            )
        ],
    ),
    "meta/status_read_user_id.json": (
        "106540352242922|st|wamid.SYNTH.tie.0|read|1782990000",
        "phone_number_id",
        "106540352242922",
        "statuses",
        None,
        [
            StatusChanged(
                provider_message_id="wamid.SYNTH.tie.0",
                status="read",
                at="2026-07-02T11:00:00+00:00",
                identities=[
                    Identity("phone", "+16500000028"),
                    Identity("wa_id", "16500000028"),
                    Identity("bsuid", "US.10000000000000000028"),
                    Identity("username", "contato22"),
                ],
            )
        ],
    ),
    "meta/message_unsupported_131060.json": (
        "106540352242922|msg|wamid.SYNTH.unsupported.0",
        "phone_number_id",
        "106540352242922",
        "messages",
        "106540352242922|16500000029",
        [
            MessageReceived(
                provider_message_id="wamid.SYNTH.unsupported.0",
                sent_at="2026-07-02T11:00:00+00:00",
                chat_address="16500000029",
                identities=[Identity("phone", "+16500000029"), Identity("wa_id", "16500000029")],
                name="Contato Vinte e Tres",
                payload={
                    "content": "unsupported",
                    "errors": [
                        {
                            "code": "131060",
                            "title": "This message is unavailable",
                            "details": "The message cannot be shown here.",
                        }
                    ],
                },
            )
        ],
    ),
    "evolution/chats_set_lid_v24.json": (
        "loja|chats.set|22d5287dc26dd62a7ccb03cd952c2cad794f8535|2026-07-02T11:00:00",
        "instance",
        "instancia-teste",
        "chats.set",
        None,
        [
            ContactSeen(
                identities=[
                    Identity("phone", "+5531990000076"),
                    Identity("wa_id", "553190000076"),
                    Identity("lid", "10000000000076"),
                ],
                name="Contato Vinte e Um",
                evidence="chats.set",
                at="2026-07-02T11:00:00+00:00",
            )
        ],
    ),
    "meta/call_terminate.json": (
        "106540352242922|calls|wacid.SYNTH0001|f7b4a3ffadb8e99c734d9a1a90d60ebe45d6ad1e",
        "phone_number_id",
        "106540352242922",
        "calls",
        None,
        [
            CallChanged(
                call_id="wacid.SYNTH0001",
                status="ended",
                identities=[Identity("phone", "+5531990000081"), Identity("wa_id", "553190000081")],
                seconds=120,
                at="2026-07-02T13:40:00+00:00",
            )
        ],
    ),
    "meta/group_participants_remove.json": (
        "106540352242922|group_participants_update|abc23c163b084ff9b8fdcf9b8598ae82522d0d75|1782999600",
        "phone_number_id",
        "106540352242922",
        "group_participants_update",
        None,
        [
            GroupChanged(
                group="120363000000000082@g.us",
                action="remove",
                participants=[{"id": "553190000082", "phone": "+5531990000082"}],
                by="participant",
                at="2026-07-02T13:40:00+00:00",
            )
        ],
    ),
    "meta/message_system_changed_number.json": (
        "106540352242922|msg|wamid.SYNTH.system_changed_number.0",
        "phone_number_id",
        "106540352242922",
        "messages",
        "106540352242922|553190000083",
        [
            MessageReceived(
                provider_message_id="wamid.SYNTH.system_changed_number.0",
                sent_at="2026-07-02T13:40:00+00:00",
                chat_address="553190000083",
                identities=[Identity("phone", "+5531990000083"), Identity("wa_id", "553190000083")],
                type="system",
                body="User A changed from 553190000083 to 553190000084",
                payload={"kind": "user_changed_number", "wa_id": "553190000084"},
            ),
            ContactSeen(
                identities=[
                    Identity("phone", "+5531990000084"),
                    Identity("wa_id", "553190000084"),
                    Identity("phone", "+5531990000083"),
                    Identity("wa_id", "553190000083"),
                ],
                evidence="user_changed_number",
                at="2026-07-02T13:40:00+00:00",
            ),
        ],
    ),
    "meta/template_status_paused.json": (
        "102290129340398|message_template_status_update|a6d12b1e4a78e5b2ae69c12e108e38a4d11a6e77|1782999600",
        "waba",
        "102290129340398",
        "message_template_status_update",
        None,
        [
            TemplateChanged(
                name="promocao",
                language="pt_BR",
                template_id="1000000000000085",
                status="paused",
                reason="Your WhatsApp message template has been paused for 3 hours.",
                category="marketing",
                at="2026-07-02T13:40:00+00:00",
            )
        ],
    ),
    "meta/template_quality_red.json": (
        "102290129340398|message_template_quality_update|9663cee8b12f5096cfba2df47d070ec4dc085172|1782999600",
        "waba",
        "102290129340398",
        "message_template_quality_update",
        None,
        [
            TemplateChanged(
                name="promocao",
                language="pt_BR",
                template_id="1000000000000085",
                quality="red",
                at="2026-07-02T13:40:00+00:00",
            )
        ],
    ),
    "meta/phone_number_quality_flagged.json": (
        "102290129340398|phone_number_quality_update|a4b323770891c3c2100f2e5c6ffc57cdaae2dcc9|1782999600",
        "waba",
        "102290129340398",
        "phone_number_quality_update",
        None,
        [
            LimitChanged(
                scope="number",
                number="+15555550102",
                daily_limit=2000,
                quality="red",
                at="2026-07-02T13:40:00+00:00",
            ),
            Notice(
                name="phone_number_quality_update",
                value={
                    "display_phone_number": "15555550102",
                    "event": "FLAGGED",
                    "current_limit": "TIER_2K",
                },
            ),
        ],
    ),
    "meta/business_capability_tier.json": (
        "102290129340398|business_capability_update|bc8c9aa2eae391121b3d06144e4ff18c544ebd95|1782999600",
        "waba",
        "102290129340398",
        "business_capability_update",
        None,
        [
            LimitChanged(scope="account", daily_limit=10000, at="2026-07-02T13:40:00+00:00"),
            Notice(
                name="business_capability_update",
                value={
                    "max_daily_conversations_per_business": "TIER_10K",
                    "max_phone_numbers_per_waba": 25,
                },
            ),
        ],
    ),
    "meta/account_restriction.json": (
        "102290129340398|account_update|d3430bd47619a8058fe47abf1fb362280ec839d6|1782999600",
        "waba",
        "102290129340398",
        "account_update",
        None,
        [
            LimitChanged(
                scope="account",
                restriction="restricted_biz_initiated_messaging",
                until="2026-07-05T13:40:00+00:00",
                at="2026-07-02T13:40:00+00:00",
            ),
            Notice(
                name="account_update",
                value={
                    "event": "ACCOUNT_RESTRICTION",
                    "restriction_info": [
                        {
                            "restriction_type": "RESTRICTED_BIZ_INITIATED_MESSAGING",
                            "expiration": 1783258800,
                        }
                    ],
                },
            ),
        ],
    ),
    "meta/user_id_update.json": (
        "106540352242922|user_id_update|356de43eb3e0ecab4987b8b47927b705e0c9b4c6|1782999600",
        "phone_number_id",
        "106540352242922",
        "user_id_update",
        None,
        [
            ContactSeen(
                identities=[
                    Identity("phone", "+5531990000086"),
                    Identity("wa_id", "553190000086"),
                    Identity("bsuid", "BR.1000000000000087"),
                    Identity("bsuid", "BR.1000000000000086"),
                ],
                evidence="user_id_update",
                at="2026-07-02T13:40:00+00:00",
            )
        ],
    ),
    "meta/user_preferences_stop.json": (
        "106540352242922|user_preferences|f77eb453208ee6e84231b9dbb40df41a0aa47eb2|1782999600",
        "phone_number_id",
        "106540352242922",
        "user_preferences",
        None,
        [
            PreferenceChanged(
                identities=[Identity("phone", "+5531990000088"), Identity("wa_id", "553190000088")],
                wanted=False,
                at="2026-07-02T13:40:00+00:00",
                detail="User requested to stop marketing messages",
            )
        ],
    ),
}


@pytest.mark.parametrize("name", webhook_names())
def test_a_sample_becomes_one_item_and_these_events(name: str) -> None:
    provider, route = provider_of(name)
    [item] = provider.split(read(name), route)
    found = (item.dedupe_key, item.route_kind, item.route_value, item.kind, item.order_key)
    assert (*found, provider.parse(item.kind, item.raw)) == EXPECTED[name]


def test_every_expectation_has_a_sample() -> None:
    assert set(EXPECTED) == set(webhook_names())
